"""Frames of films: GIFs by Pillow everywhere, videos by what is installed, and what cannot be read."""

import numpy as np
import pytest
from PIL import Image

from course_utils.labs import LabUnavailable, load_lab, video
from course_utils.labs.video import is_film, read_frames

SHADES = np.linspace(10, 240, 40).astype(np.uint8)  # frame i has the red SHADES[i]


def pictures(n=40, height=48, width=64):
    frames = np.full((n, height, width, 3), 60, np.uint8)
    frames[..., 0] = SHADES[:n, None, None]
    return frames


@pytest.fixture
def gif(tmp_path):
    frames = [Image.fromarray(picture) for picture in pictures()]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:], duration=40)
    return tmp_path / "film.gif"


@pytest.fixture
def mp4(tmp_path):
    cv2 = pytest.importorskip("cv2")
    writer = cv2.VideoWriter(str(tmp_path / "film.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 25, (64, 48))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no mp4")
    for picture in pictures():
        writer.write(np.ascontiguousarray(picture[..., ::-1]))
    writer.release()
    return tmp_path / "film.mp4"


@pytest.mark.parametrize("kind", ["gif", "mp4"])
def test_frames_in_order_and_colours(kind, request):
    path = request.getfixturevalue(kind)
    found = read_frames(path, every=3, at_most=10)
    assert found.shape == (10, 48, 64, 3) and found.dtype == np.uint8
    assert np.abs(found[:, 24, 32, 0].astype(int) - SHADES[::3][:10]).max() <= 8
    assert np.abs(found[..., 2].astype(int) - 60).max() <= 8
    assert is_film(path)


@pytest.mark.parametrize("at_most", [1, 5, 7, 24, 40, 100])
def test_frames_are_spread_over_the_whole_film(gif, at_most):
    found = read_frames(gif, at_most=np.int64(at_most), size=32)
    assert found.shape == (min(at_most, 40), 32, 32, 3)
    shades = found[:, 16, 16, 0].astype(int)
    assert (np.diff(shades) > 0).all() and shades[0] <= 14
    assert at_most == 1 or shades[-1] > 210


@pytest.mark.parametrize("kind", ["gif", "mp4"])
def test_a_film_as_the_lab_of_photographs(kind, request):
    lab = load_lab("photos", path=request.getfixturevalue(kind))
    assert lab.images.shape == (24, 224, 224, 3) and len(lab.targets) == 24


def test_a_gif_that_does_not_move_is_a_picture(tmp_path):
    Image.new("RGB", (40, 40), "red").save(tmp_path / "still.gif")
    assert not is_film(tmp_path / "still.gif") and not is_film(tmp_path / "a.jpg")
    assert read_frames(tmp_path / "still.gif").shape == (1, 40, 40, 3)
    assert len(load_lab("photos", path=tmp_path / "still.gif")) == 1


def test_bad_input_a_video_without_a_reader(tmp_path, monkeypatch):
    (tmp_path / "film.mp4").write_bytes(b"x")
    monkeypatch.setattr(video, "find_spec", lambda name: None)
    with pytest.raises(LabUnavailable, match=r"pip install opencv-python-headless.*imageio\[pyav\].*GIF"):
        read_frames(tmp_path / "film.mp4")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("none.mp4", {}, "path: there is no file"),
        ("", {}, "is a folder"),
        ("broken.mp4", {}, "path: .*broken.mp4"),
        ("broken.gif", {}, "path: the frames of .*broken.gif cannot be read"),
        ("broken.gif", {"every": 0}, "every must be a whole number"),
        ("broken.gif", {"every": 1.5}, "every must be a whole number"),
        ("broken.gif", {"at_most": None}, "at_most must be a whole number"),
        ("broken.gif", {"at_most": True}, "at_most must be a whole number"),
        ("broken.gif", {"size": "big"}, "size must be a whole number"),
    ],
)
def test_bad_input_of_films(tmp_path, name, options, message):
    for broken in ("broken.mp4", "broken.gif"):
        (tmp_path / broken).write_bytes(b"this is no film")
    with pytest.raises(ValueError, match=message):
        read_frames(tmp_path / name, **options)
