"""Check the course's own texts in `data/text`: fields, labels, offsets, tags, lengths, doubles and balance.

    python -m course_utils.training.check_texts [FOLDER]

Prints one line per file, then either "all texts are in order" (exit status 0) or every fault as
`file:line: what is wrong` (exit status 1). `passages*.jsonl` are checked where they are there.
"""

import argparse
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

TEXT_FOLDER = Path(__file__).resolve().parents[2] / "data" / "text"

LABELS = ("positive", "negative")
DOMAINS = ("film", "food", "product", "place", "book")
PHENOMENA = ("negation", "contrast", "irony", "comparison", "mixed", "idiom", "intensifier")
# the universal part-of-speech tags (Universal Dependencies, version 2)
TAGS = frozenset("ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X".split())
ENTITIES = frozenset({"O"} | {f"{place}-{kind}" for place in "BI" for kind in ("PER", "LOC", "ORG")})

NEAR = 0.8  # shared words over all words (Jaccard) from which two texts count as the same
SHARED_RUN = 6  # words in a row that training and held-out reviews may not share
SHARED_RUN_PASSAGES = 8

Row = tuple[int, dict]  # line number, counted from 1, and what stands there


class Faults:
    """Collects faults as `file:line: message`."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, path: Path, line: int, message: str) -> None:
        self.lines.append(f"{path.name}:{line}: {message}")


def words(text: str) -> list[str]:
    """Lower-case words of a text without punctuation: what doubles are looked for in."""
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.lower().replace("’", "'"))


def runs(text: str, length: int) -> set[tuple[str, ...]]:
    """All runs of `length` words in a text."""
    found = words(text)
    return {tuple(found[i : i + length]) for i in range(len(found) - length + 1)}


def read(path: Path, fields: dict[str, type], optional: dict[str, type], faults: Faults) -> list[Row]:
    """Rows of a JSON-lines file that have the right fields; the others are named in `faults`."""
    if not path.is_file():
        faults.add(path, 1, "the file is missing")
        return []
    rows = []
    for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(text)
        except json.JSONDecodeError as error:
            faults.add(path, line, f"not JSON ({error.msg})")
            continue
        if not isinstance(row, dict):
            faults.add(path, line, "not a JSON object")
            continue
        missing = fields.keys() - row.keys()
        unknown = row.keys() - fields.keys() - optional.keys()
        wrong = [
            key for key, kind in {**fields, **optional}.items() if key in row and type(row[key]) is not kind
        ]
        if missing or unknown or wrong:
            for names, what in ((missing, "missing"), (unknown, "unknown"), (wrong, "wrong type of")):
                if names:
                    faults.add(path, line, f"{what} field: {', '.join(sorted(names))}")
            continue
        rows.append((line, row))
    return rows


def check_ids(path: Path, rows: Sequence[Row], faults: Faults) -> None:
    """Every id stands once."""
    first: dict[str, int] = {}
    for line, row in rows:
        if row["id"] in first:
            faults.add(path, line, f"id {row['id']!r} is already in line {first[row['id']]}")
        first.setdefault(row["id"], line)


def check_doubles(path: Path, rows: Sequence[tuple[int, str, str]], faults: Faults) -> int:
    """Find equal and nearly equal texts among (line, text, group); return the number of contrast pairs.

    Equal wording is always a fault. Nearly equal wording is one only within a group (a label, a sense): two
    texts that differ in a few words and in their label are contrast pairs, wanted and counted.
    """
    seen: dict[str, int] = {}
    bags: list[tuple[int, frozenset[str], str]] = []
    pairs = 0
    for line, text, group in rows:
        wording = " ".join(words(text))
        if wording in seen:
            faults.add(path, line, f"same text as line {seen[wording]}")
            continue
        seen[wording] = line
        bag = frozenset(words(text))
        for other_line, other, other_group in bags:
            if min(len(bag), len(other)) < NEAR * max(len(bag), len(other)):
                continue
            shared = len(bag & other)
            if shared < NEAR * (len(bag) + len(other) - shared):
                continue
            if group == other_group:
                faults.add(path, line, f"nearly the same text as line {other_line}")
            else:
                pairs += 1
        bags.append((line, bag, group))
    return pairs


def check_apart(
    path: Path,
    held_out: Iterable[tuple[int, str]],
    train: Iterable[tuple[int, str]],
    length: int,
    faults: Faults,
) -> None:
    """No held-out text shares `length` words in a row with a training text."""
    known = {run: line for line, text in train for run in runs(text, length)}
    for line, text in held_out:
        for run in sorted(runs(text, length) & known.keys()):
            faults.add(path, line, f"shares {' '.join(run)!r} with training line {known[run]}")
            break


def share(part: int, whole: int) -> float:
    """part / whole, and 0 for an empty whole."""
    return part / whole if whole else 0.0


def check_reviews(path: Path, least: int, faults: Faults) -> tuple[list[Row], str]:
    """Check one file of reviews; return its rows and a line for the table."""
    fields = {"id": str, "text": str, "label": str, "domain": str, "phenomena": list}
    rows = read(path, fields, {"built": bool}, faults)
    check_ids(path, rows, faults)
    for line, row in rows:
        if row["label"] not in LABELS:
            faults.add(path, line, f"label {row['label']!r} is none of {', '.join(LABELS)}")
        if row["domain"] not in DOMAINS:
            faults.add(path, line, f"domain {row['domain']!r} is none of {', '.join(DOMAINS)}")
        strange = [name for name in row["phenomena"] if name not in PHENOMENA]
        if strange or len(set(map(str, row["phenomena"]))) < len(row["phenomena"]):
            faults.add(path, line, f"phenomena {row['phenomena']} are not a subset of {', '.join(PHENOMENA)}")
        if row["text"] != " ".join(row["text"].split()):
            faults.add(path, line, "spare white space in the text")
        n = len(row["text"].split())
        if not 6 <= n <= 45:
            faults.add(path, line, f"{n} words, where 6 to 45 are meant")
    pairs = check_doubles(path, [(line, row["text"], row["label"]) for line, row in rows], faults)

    texts = [row for _, row in rows]
    if len(rows) < least:
        faults.add(path, len(rows), f"{len(rows)} reviews, where at least {least} are meant")
    for name, group, low in [("all", texts, 0.47)] + [
        (domain, [row for row in texts if row["domain"] == domain], 0.42) for domain in DOMAINS
    ]:
        positive = share(sum(row["label"] == "positive" for row in group), len(group))
        if not low <= positive <= 1 - low:
            faults.add(path, len(rows), f"{name}: {positive:.0%} positive is not balanced")
    film = share(sum(row["domain"] == "film" for row in texts), len(texts))
    if film < 0.4:
        faults.add(path, len(rows), f"{film:.0%} film reviews, where at least 40 % are meant")
    built = share(sum(row.get("built", False) for row in texts), len(texts))
    if built >= 0.25:
        faults.add(path, len(rows), f"{built:.0%} built reviews, where less than 25 % are meant")
    lengths = [len(row["text"].split()) for row in texts] or [0]
    counts = {
        "label": Counter(row["label"] for row in texts),
        "domain": Counter(row["domain"] for row in texts),
        "phenomena": Counter(str(name) for row in texts for name in row["phenomena"]),
    }
    lines = [f"{len(rows)} reviews, {min(lengths)} to {max(lengths)} words, {pairs} contrast pairs"]
    lines += [f"  {key}: " + ", ".join(f"{k} {n}" for k, n in c.most_common()) for key, c in counts.items()]
    return rows, "\n".join(lines)


def check_word_senses(path: Path, faults: Faults) -> str:
    """Check the sentences with ambiguous words; return a line for the table."""
    fields = {"word": str, "sense": str, "text": str, "start": int, "end": int}
    rows = read(path, fields, {"set": str}, faults)
    for line, row in rows:
        word, text = row["word"], row["text"]
        if text[row["start"] : row["end"]] not in (word, word.capitalize()):
            faults.add(path, line, f"start and end mark {text[row['start'] : row['end']]!r}, not {word!r}")
        if words(text).count(word) != 1:
            faults.add(path, line, f"{word!r} stands {words(text).count(word)} times in the text")
        if row.get("set", "apple10") != "apple10" or ("set" in row and word != "apple"):
            faults.add(path, line, f"unknown set {row['set']!r} for {word!r}")
    check_doubles(path, [(line, row["text"], f"{row['word']} {row['sense']}") for line, row in rows], faults)

    senses = Counter((row["word"], row["sense"]) for _, row in rows if "set" not in row)
    ten = Counter(row["sense"] for _, row in rows if "set" in row)
    names = sorted({word for word, _ in senses})
    for word in names:
        if sum(w == word for w, _ in senses) != 2:
            faults.add(path, len(rows), f"{word!r} has not two senses")
    for (word, sense), n in senses.items():
        if n < 10:
            faults.add(path, len(rows), f"{word!r} as {sense!r}: {n} sentences, where at least 10 are meant")
    if sorted(ten.values()) != [5, 5]:
        faults.add(path, len(rows), f"the set apple10 has {dict(ten)}, where 5 and 5 are meant")
    if len(names) < 9:
        faults.add(path, len(rows), f"{len(names)} words, where at least 9 are meant")
    return f"{len(rows)} sentences, {len(names)} words with two senses: {', '.join(names)}"


def check_tagged(path: Path, faults: Faults) -> str:
    """Check the tagged sentences; return a line for the table."""
    rows = read(path, {"tokens": list, "pos": list, "entities": list}, {"built": bool}, faults)
    tags_of: dict[str, set[str]] = {}
    for line, row in rows:
        tokens, pos, entities = row["tokens"], row["pos"], row["entities"]
        if not len(tokens) == len(pos) == len(entities):
            faults.add(path, line, f"{len(tokens)} tokens, {len(pos)} tags, {len(entities)} entity tags")
            continue
        if not 5 <= len(tokens) <= 16:
            faults.add(path, line, f"{len(tokens)} tokens, where 5 to 16 are meant")
        before = "O"
        for token, tag, entity in zip(tokens, pos, entities, strict=True):
            if not isinstance(token, str) or not token or len(token.split()) != 1:
                faults.add(path, line, f"token {token!r} is not one word")
                continue
            if tag not in TAGS:
                faults.add(path, line, f"{token!r} has the unknown tag {tag!r}")
            elif (tag == "PUNCT") == any(c.isalnum() for c in token):
                faults.add(path, line, f"{token!r} is tagged {tag}")
            if entity not in ENTITIES:
                faults.add(path, line, f"{token!r} has the unknown entity tag {entity!r}")
            elif entity[0] == "I" and before[2:] != entity[2:]:
                faults.add(path, line, f"{token!r}: {entity} follows {before}")
            before = str(entity)
            tags_of.setdefault(token.lower(), set()).add(str(tag))
    readable = [(line, " ".join(map(str, row["tokens"])), "") for line, row in rows]
    check_doubles(path, readable, faults)

    named = sum(any(entity != "O" for entity in row["entities"]) for _, row in rows)
    built = sum(row.get("built", False) for _, row in rows)
    several = sum(len(tags) > 1 for tags in tags_of.values())
    for n, least, what in ((len(rows), 400, "sentences"), (named, 120, "sentences with entities")):
        if n < least:
            faults.add(path, len(rows), f"{n} {what}, where at least {least} are meant")
    if share(built, len(rows)) > 0.5:
        faults.add(
            path, len(rows), f"{built} of {len(rows)} sentences are built, where at most half are meant"
        )
    kinds = Counter(str(e)[2:] for _, row in rows for e in row["entities"] if str(e).startswith("B-"))
    tags = Counter(str(tag) for _, row in rows for tag in row["pos"])
    return (
        f"{len(rows)} sentences ({built} built), {named} with entities, {several} words with several tags\n"
        f"  tags: {', '.join(f'{k} {n}' for k, n in tags.most_common())}\n"
        f"  entities: {', '.join(f'{k} {n}' for k, n in kinds.most_common())}"
    )


def check_passages(path: Path, faults: Faults) -> tuple[list[Row], str]:
    """Check passages with questions and answers; return the rows and a line for the table."""
    rows = read(path, {"id": str, "title": str, "context": str, "qas": list}, {"built": bool}, faults)
    check_ids(path, rows, faults)
    questions: dict[str, int] = {}
    n = 0
    for line, row in rows:
        asked: set[str] = set()
        for qa in row["qas"]:
            try:
                name, question, answers = qa["id"], qa["question"], qa["answers"]
                spans = [(answer["text"], answer["answer_start"]) for answer in answers]
                marked = [row["context"][start : start + len(text)] for text, start in spans]
            except (TypeError, KeyError):
                faults.add(path, line, "a question needs id, question and answers of text and answer_start")
                continue
            n += 1
            if name in questions:
                faults.add(path, line, f"question id {name!r} is already in line {questions[name]}")
            questions.setdefault(name, line)
            if question in asked:
                faults.add(path, line, f"{name}: the same question twice")
            asked.add(question)
            if not spans:
                faults.add(path, line, f"{name}: no answer")
            for (text, start), there in zip(spans, marked, strict=True):
                if not text or start < 0 or there != text:
                    faults.add(path, line, f"{name}: at {start} stands {there!r}, not {text!r}")
    check_doubles(path, [(line, row["context"], "") for line, row in rows], faults)
    lengths = [len(row["context"].split()) for _, row in rows] or [0]
    return rows, f"{len(rows)} passages of {min(lengths)} to {max(lengths)} words, {n} questions"


def check_folder(folder: Path) -> tuple[list[str], list[str]]:
    """Check all texts of a folder; return the lines of the table and the faults."""
    faults = Faults()
    table: dict[str, str] = {}

    def pair(check: Callable[[Path], tuple[list[Row], str]], name: str, field: str, length: int) -> None:
        train, held_out = folder / f"{name}.jsonl", folder / f"{name}_heldout.jsonl"
        rows, table[train.name] = check(train)
        rows_held, table[held_out.name] = check(held_out)
        known = [(line, row[field]) for line, row in rows]
        check_apart(held_out, [(line, row[field]) for line, row in rows_held], known, length, faults)

    def reviews(path: Path) -> tuple[list[Row], str]:
        return check_reviews(path, 200 if "heldout" in path.name else 1200, faults)

    def passages(path: Path) -> tuple[list[Row], str]:
        return check_passages(path, faults)

    pair(reviews, "reviews", "text", SHARED_RUN)
    table["word_senses.jsonl"] = check_word_senses(folder / "word_senses.jsonl", faults)
    table["tagged_sentences.jsonl"] = check_tagged(folder / "tagged_sentences.jsonl", faults)
    if (folder / "passages.jsonl").is_file():
        if (folder / "passages_heldout.jsonl").is_file():
            pair(passages, "passages", "context", SHARED_RUN_PASSAGES)
        else:
            table["passages.jsonl"] = passages(folder / "passages.jsonl")[1]
    return [f"{name}: {line}" for name, line in table.items()], faults.lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="check the course's own texts")
    parser.add_argument("folder", nargs="?", type=Path, default=TEXT_FOLDER)
    table, faults = check_folder(parser.parse_args(arguments).folder)
    print("\n".join(table))
    print("\n".join(faults) if faults else "all texts are in order")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
