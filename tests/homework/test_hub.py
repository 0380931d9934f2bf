"""A class on a real JupyterHub: from the release over two students' notebooks to the feedback they fetch."""

import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("jupyterhub", reason="jupyterhub is not installed: `make hub` does it")
pytest.importorskip("nbgrader", reason="nbgrader is not installed: `make homework` does it")
import requests

from course_utils.authoring.homework import course
from course_utils.authoring.lesson import ROOT

DEMO = Path(__file__).parent / "demo.py"
CONFIG = ROOT / "notebooks" / "homework" / "hub" / "jupyterhub_config.py"
PACKAGES = ROOT / "build" / "hub" / "node_modules"
COURSE = {"course_id": "xai", "assignment_id": "demo"}
ANSWERS = {  # of two students, by cell
    "anna": {"biggest": "biggest = float(values.max())", "twice": "def twice(x):\n    return 2 * x"},
    "ben": {"biggest": "biggest = values.min()", "twice": "def twice(x):\n    return x"},
}
pytestmark = [
    pytest.mark.skipif(not shutil.which("node"), reason="node is not installed: the hub's proxy needs it"),
    pytest.mark.skipif(not PACKAGES.is_dir(), reason="the hub's proxy is not installed: `make hub` does it"),
]


class User:
    """Somebody logged in, whose server runs; paths are those of that server."""

    def __init__(self, hub: str, name: str, password: str):
        web = requests.Session()
        web.get(f"{hub}/hub/login").raise_for_status()
        xsrf = web.cookies.get("_xsrf", path="/hub/")
        form = {"username": name, "password": password, "_xsrf": xsrf}
        self.answer = web.post(f"{hub}/hub/login", data=form, allow_redirects=False)
        if self.answer.status_code != 302:
            return
        asked = web.post(
            f"{hub}/hub/api/users/{name}/tokens",
            json={"expires_in": 3600},
            headers={"X-XSRFToken": web.cookies.get("_xsrf", path="/hub/")},
        )
        self.headers = {"Authorization": f"token {asked.json()['token']}"}
        self.hub, self.name, self.server = f"{hub}/hub/api/users/{name}", name, f"{hub}/user/{name}"

    def start(self) -> None:
        assert requests.post(f"{self.hub}/server", headers=self.headers).status_code in (201, 202)

    def wait(self) -> None:
        until = time.monotonic() + 120
        while not requests.get(self.hub, headers=self.headers).json()["servers"].get("", {}).get("ready"):
            assert time.monotonic() < until, f"{self.name}'s server does not start"
            time.sleep(0.5)

    def ask(self, method: str, path: str, status: int = 200, **more):
        answer = requests.request(method, f"{self.server}/{path}", headers=self.headers, timeout=300, **more)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text[-500:]}"
        return answer.json() if status == 200 else None

    def homework(self, action: str) -> dict:
        """What nbgrader's list of assignments does when a student clicks there."""
        done = self.ask("POST", f"assignments/{action}", json=COURSE)
        assert done["success"], done
        return done

    def grader(self, path: str) -> None:
        """What nbgrader's formgrader does when a teacher clicks there."""
        done = self.ask("POST", f"formgrader/api/{path}")
        assert done["success"], done.get("log") or done.get("error")


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """The address of a running hub, its folder, and the passwords of students and teachers."""
    folder = tmp_path_factory.mktemp("hub")
    (folder / "node_modules").symlink_to(PACKAGES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(course, "sources", lambda: [DEMO])
        course.make_course(folder / "course", 2027)
    port = free_ports()
    settings = {"HUB_FOLDER": folder, "HUB_COURSE": folder / "course", "HUB_PORT": port}
    command = [sys.executable, "-m", "jupyterhub", "-f", CONFIG]
    with ExitStack() as stack:
        log = stack.enter_context(open(folder / "log", "w"))
        environment = {**os.environ, **{key: str(value) for key, value in settings.items()}}
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        stack.callback(process.wait, 60)
        stack.callback(process.terminate)  # first; the hub ends the servers
        until, address = time.monotonic() + 120, f"http://127.0.0.1:{port}"
        while not is_up(address):
            assert process.poll() is None and time.monotonic() < until, (folder / "log").read_text()[-3000:]
            time.sleep(0.3)
        yield address, folder, *(folder / "passwords").read_text().split()


def free_ports() -> int:
    """The first of three ports in a row that nobody has."""
    while True:
        first = random.randrange(20000, 60000)
        with ExitStack() as stack:
            try:
                for port in range(first, first + 3):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
        return first


def is_up(address: str) -> bool:
    try:
        return requests.get(f"{address}/hub/health", timeout=2).ok
    except requests.RequestException:
        return False


def test_a_homework_goes_out_comes_back_and_is_returned_with_marks(hub):
    address, folder, for_students, for_teachers = hub
    teacher = User(address, "teacher", for_teachers)
    students = [User(address, name, for_students) for name in ANSWERS]
    for user in (teacher, *students):
        user.start()
    for user in (teacher, *students):
        user.wait()

    teacher.grader("assignment/demo/assign")
    teacher.grader("assignment/demo/release")
    for student in students:
        student.homework("fetch")
        notebook = student.ask("GET", "api/contents/demo/demo.ipynb")["content"]
        assert "HIDDEN" not in str(notebook) and "mistake" not in str(notebook)
        for cell in notebook["cells"]:
            name = cell["metadata"]["nbgrader"]["grade_id"]
            cell["source"] = ANSWERS[student.name].get(name, cell["source"])
        body = {"type": "notebook", "content": notebook}
        student.ask("PUT", "api/contents/demo/demo.ipynb", json=body)
        student.homework("submit")

    teacher.grader("assignment/demo/collect")
    for student in students:
        teacher.grader(f"submission/demo/{student.name}/autograde")
    marks = {one["student"]: one["score"] for one in teacher.ask("GET", "formgrader/api/submissions/demo")}
    assert marks == {"anna": 5, "ben": 1}

    teacher.grader("assignment/demo/generate_feedback")
    teacher.grader("assignment/demo/release_feedback")
    for student in students:
        student.homework("fetch_feedback")
    pages = {name: "".join(read(path) for path in feedback(folder, name)) for name in ANSWERS}
    assert "demo (Score: 5.0 / 10.0)" in pages["anna"] and "mistake" not in pages["anna"]
    assert "demo (Score: 1.0 / 10.0)" in pages["ben"] and "mistake: gave x back" in pages["ben"]
    assert not any("SEED + 1" in page or "isclose" in page for page in pages.values())


def feedback(folder: Path, name: str) -> list[Path]:
    return sorted((folder / "home" / name / "demo" / "feedback").glob("*/demo.html"))


def read(path: Path) -> str:
    return re.sub(r"<[^>]+>", "", path.read_text("utf-8"))


def test_the_formgrader_and_the_tests_are_not_on_a_students_server(hub):
    address, _, for_students, _ = hub
    student = User(address, "cleo", for_students)
    student.start()
    student.wait()
    student.ask("GET", "formgrader/api/assignments", status=404)
    names = [entry["name"] for entry in student.ask("GET", "api/contents/")["content"]]
    assert "source" not in names and "gradebook.db" not in names


def test_bad_input_who_does_not_come_in(hub):
    address, _, for_students, _ = hub
    for name, password in (("anna", "guess"), ("teacher", for_students), ("../teacher", for_students)):
        assert User(address, name, password).answer.status_code in (400, 403), name
