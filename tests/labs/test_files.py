"""The data folder: complete, unaltered, and strict about it."""

import json

import numpy as np
import pytest
import torch

from course_utils.labs import DataFileError, files, load_lab


@pytest.fixture
def data_folder(tmp_path, monkeypatch):
    """An empty data folder in place of the real one."""
    monkeypatch.setattr(files, "DATA", tmp_path)
    return tmp_path


def test_every_file_is_listed_and_unaltered():
    listed = json.loads((files.DATA / files.MANIFEST).read_text())
    present = {path.relative_to(files.DATA).as_posix() for path in files.DATA.rglob("*") if path.is_file()}
    present = {name for name in present if not name.rpartition("/")[2].startswith(".")} - files.NOT_LISTED
    assert set(listed) == present
    for name, entry in listed.items():
        assert files.data_file(name).stat().st_size == entry["bytes"]


def test_samples_and_single_files_stay_small():
    sizes = {path: path.stat().st_size for path in files.DATA.rglob("*") if path.is_file()}
    assert max(sizes.values()) < 10e6
    assert sum(size for path, size in sizes.items() if path.parent.name == "samples") < 18e6


def test_arrays_come_back_as_they_were(data_folder):
    masks = np.random.default_rng(0).random((3, 5, 7)) < 0.5
    files.write_arrays(data_folder / "samples/x.npz", {"masks": masks, "names": np.array(["a", "bc"])})
    files.write_manifest()
    arrays = files.read_arrays("samples/x.npz")
    assert set(arrays) == {"masks", "names"}
    assert arrays["masks"].dtype == bool
    np.testing.assert_array_equal(arrays["masks"], masks)
    assert arrays["names"].tolist() == ["a", "bc"]


def test_weights_come_back_in_single_precision(data_folder):
    weights = {"w": torch.randn(3, 4), "count": torch.tensor(7)}
    files.write_weights(data_folder / "weights/x.safetensors", weights)
    files.write_manifest()
    read = files.read_weights("weights/x.safetensors")
    assert read["w"].dtype == torch.float32 and read["count"].item() == 7
    torch.testing.assert_close(read["w"], weights["w"].half().float())


def test_an_altered_file_is_refused(data_folder):
    files.write_bytes(data_folder / "weights/x.safetensors", b"original")
    files.write_manifest()
    assert files.data_file("weights/x.safetensors").read_bytes() == b"original"
    files.write_bytes(data_folder / "weights/x.safetensors", b"Original")
    with pytest.raises(DataFileError, match=r"weights/x\.safetensors was altered"):
        files.data_file("weights/x.safetensors")


def test_a_missing_an_unlisted_and_a_broken_file(data_folder):
    with pytest.raises(DataFileError, match=r"manifest\.json is missing"):
        files.data_file("weights/x.safetensors")
    files.write_bytes(data_folder / "weights/x.safetensors", b"not safetensors")
    files.write_bytes(data_folder / "samples/x.npz", b"not an archive")
    files.write_manifest()
    with pytest.raises(DataFileError, match="not listed"):
        files.data_file("weights/y.safetensors")
    with pytest.raises(DataFileError, match="not a readable safetensors"):
        files.read_weights("weights/x.safetensors")
    with pytest.raises(DataFileError, match="not a readable npz"):
        files.read_arrays("samples/x.npz")
    (data_folder / "weights/x.safetensors").unlink()
    with pytest.raises(DataFileError, match="is missing"):
        files.read_weights("weights/x.safetensors")


def test_arrays_with_python_objects_are_refused(data_folder):
    path = data_folder / "samples/x.npz"
    path.parent.mkdir()
    np.savez(path, objects=np.array([{}], dtype=object))
    files.write_manifest()
    with pytest.raises(DataFileError, match="not a readable npz"):
        files.read_arrays("samples/x.npz")


def test_no_half_written_file(data_folder, monkeypatch):
    files.write_bytes(data_folder / "x", b"old")

    def full_disk(*_):
        raise OSError("no space left")

    monkeypatch.setattr(files.os, "replace", full_disk)
    with pytest.raises(OSError, match="no space"):
        files.write_bytes(data_folder / "x", b"new")
    assert [path.name for path in data_folder.iterdir()] == ["x"]
    assert (data_folder / "x").read_bytes() == b"old"


def test_manifest_keeps_other_entries(data_folder):
    for name in ("a", "b", ".hidden"):
        files.write_bytes(data_folder / name, b"1")
    files.write_manifest()
    before = json.loads((data_folder / files.MANIFEST).read_text())
    assert set(before) == {"a", "b"}
    for name in ("a", "b"):
        files.write_bytes(data_folder / name, b"2")
    files.write_manifest(lambda name: name == "a")
    after = json.loads((data_folder / files.MANIFEST).read_text())
    assert after["b"] == before["b"] and after["a"] != before["a"]


def test_a_lab_without_its_files_says_so(data_folder):
    files.write_manifest()
    with pytest.raises(DataFileError, match=r"data/samples/scenes\.npz"):
        load_lab("scenes")
