"""The learner's own copies of the lessons, in `workbook/`: without outputs, and never overwritten.

Where an original has changed since it was copied, the copy is replaced if the learner has not touched it;
otherwise the newer one is laid beside it. To start a lesson afresh, delete its copy: the next start lays out
a new one. Standard library only, and no syntax newer than Python 3.4, as in environment.py.
"""

import glob
import hashlib
import json
import os
import tempfile

RECORD = ".originals.json"  # also says to the lessons that they run in a workbook


def update(originals, workbook):
    """Copy what is new from one folder to the other; returns a line for each copy laid beside an old one."""
    os.makedirs(workbook, exist_ok=True)
    record = _record(workbook)
    lines = []
    for path in sorted(glob.glob(os.path.join(glob.escape(originals), "*"))):
        name = os.path.basename(path)
        if not name.endswith((".ipynb", ".md")):
            continue
        with open(path, "rb") as file:
            fresh = without_outputs(file.read()) if name.endswith(".ipynb") else file.read()
        mark = fingerprint(name, fresh)
        copy = os.path.join(workbook, name)
        exists = os.path.exists(copy)
        if exists and mark in (record.get(name), _fingerprint_of(copy)):
            record[name] = mark
            continue
        if not exists or (name in record and _fingerprint_of(copy) == record[name]):
            write(copy, fresh)
        else:
            beside = _beside(workbook, name, mark)
            write(os.path.join(workbook, beside), fresh)
            lines.append(
                "%s has a newer version: it lies beside yours as `%s`; yours is as it was" % (name, beside)
            )
        record[name] = mark
    write(os.path.join(workbook, RECORD), json.dumps(record, indent=1, sort_keys=True).encode("utf-8"))
    return lines


def without_outputs(text):
    """A notebook's bytes with every output and every execution count taken out."""
    notebook = json.loads(text.decode("utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def fingerprint(name, text):
    """Of what a learner can change. JupyterLab rewrites a notebook's metadata when it is only opened."""
    if name.endswith(".ipynb"):
        cells = json.loads(text.decode("utf-8"))["cells"]
        parts = [
            [cell["cell_type"], "".join(cell["source"]), bool(cell.get("outputs")), cell.get("attachments")]
            for cell in cells
        ]
        text = json.dumps(parts, sort_keys=True).encode("utf-8")
    return hashlib.sha256(text).hexdigest()


def write(path, text):
    """Whole or not at all, also when two do it at once."""
    handle, half = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".half-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text)
        os.chmod(half, 0o644)
        os.replace(half, path)
    except BaseException:
        os.unlink(half)
        raise


def _record(workbook):
    """What was copied: name -> fingerprint. A damaged record counts every copy as the learner's own."""
    try:
        with open(os.path.join(workbook, RECORD), "rb") as file:
            return dict(json.loads(file.read().decode("utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _fingerprint_of(path):
    try:
        with open(path, "rb") as file:
            return fingerprint(path, file.read())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # not a notebook any more: the learner's affair


def _beside(workbook, name, mark):
    """`04_grad_cam (new 2).ipynb`: the first free name, or the one that holds this version already."""
    stem, ending = os.path.splitext(name)
    number = 1
    while True:
        beside = "%s (new%s)%s" % (stem, "" if number == 1 else " %d" % number, ending)
        path = os.path.join(workbook, beside)
        if not os.path.exists(path) or _fingerprint_of(path) == mark:
            return beside
        number += 1
