"""The course's own texts are in order, and the checker notices when they are not."""

import json
import shutil
from pathlib import Path

import pytest

from course_utils.training import check_texts

pytestmark = pytest.mark.skipif(not check_texts.TEXT_FOLDER.is_dir(), reason="the texts are not in this copy")


def test_texts_are_in_order(capsys):
    assert check_texts.main([]) == 0, capsys.readouterr().out
    assert "all texts are in order" in capsys.readouterr().out


BROKEN = {
    "label": ("reviews.jsonl", lambda row: row | {"label": "good"}, "label 'good'"),
    "phenomena": ("reviews.jsonl", lambda row: row | {"phenomena": ["rhyme"]}, "phenomena ['rhyme']"),
    "length": ("reviews_heldout.jsonl", lambda row: row | {"text": "Too short."}, "2 words"),
    "field": ("reviews.jsonl", lambda row: {"id": row["id"]}, "missing field"),
    "offset": ("word_senses.jsonl", lambda row: row | {"start": row["start"] + 1}, "start and end mark"),
    "tag": ("tagged_sentences.jsonl", lambda row: row | {"pos": ["THING"] * len(row["pos"])}, "unknown tag"),
    "entity": (
        "tagged_sentences.jsonl",
        lambda row: row | {"entities": ["I-PER"] + ["O"] * (len(row["pos"]) - 1)},
        "I-PER follows O",
    ),
    "count": ("tagged_sentences.jsonl", lambda row: row | {"pos": row["pos"][1:]}, "entity tags"),
}


def test_broken_lines_are_named(tmp_path: Path):
    folder = copy(tmp_path)
    expected = []
    for line, (name, spoil, message) in enumerate(BROKEN.values(), start=7):
        lines = (folder / name).read_text(encoding="utf-8").splitlines()
        lines[line - 1] = json.dumps(spoil(json.loads(lines[line - 1])))
        write(folder / name, lines)
        expected.append((f"{name}:{line}: ", message))
    _, faults = check_texts.check_folder(folder)
    for place, message in expected:
        assert any(line.startswith(place) and message in line for line in faults), (place, faults)


def test_unreadable_doubled_and_leaked_lines_are_named(tmp_path: Path, capsys):
    folder = copy(tmp_path)
    train = (folder / "reviews.jsonl").read_text(encoding="utf-8").splitlines()
    held_out = (folder / "reviews_heldout.jsonl").read_text(encoding="utf-8").splitlines()
    text = next(t for t in (json.loads(line)["text"] for line in train) if len(check_texts.words(t)) > 12)
    held_out[2] = json.dumps(json.loads(held_out[2]) | {"text": text})
    train[4] = json.dumps(json.loads(train[0]) | {"id": "another"})
    train[9] = train[9][:-1]
    write(folder / "reviews.jsonl", train)
    write(folder / "reviews_heldout.jsonl", held_out)
    assert check_texts.main([str(folder)]) == 1
    out = capsys.readouterr().out
    assert "reviews.jsonl:5: same text as line 1" in out
    assert "reviews.jsonl:10: not JSON" in out
    assert "reviews_heldout.jsonl:3: shares " in out


def test_a_wrong_answer_start_is_named(tmp_path: Path):
    context = "The mill was built in 1720 by two sisters."
    answer = {"text": "1720", "answer_start": context.index("1720")}
    row = {"id": "a", "title": "Mill", "context": context}
    question = {"id": "a-1", "question": "When was it built?", "answers": [answer]}
    path = tmp_path / "passages.jsonl"
    for shift, n_faults in ((0, 0), (1, 1)):
        moved = question | {"answers": [answer | {"answer_start": answer["answer_start"] + shift}]}
        write(path, [json.dumps(row | {"qas": [moved]})])
        faults = check_texts.Faults()
        check_texts.check_passages(path, faults)
        assert len(faults.lines) == n_faults


def copy(folder: Path) -> Path:
    """The texts copied into `folder`, without the passages."""
    for path in check_texts.TEXT_FOLDER.glob("*.jsonl"):
        if not path.name.startswith("passages"):
            shutil.copy(path, folder)
    return folder


def write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
