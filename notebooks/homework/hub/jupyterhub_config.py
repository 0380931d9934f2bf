"""JupyterHub and nbgrader's exchange for one class. As it stands: on this machine only, to try it.

All students share one password, and all servers run under the account that started the hub. What to change
for a real class stands in README.md. Settings come from the environment, with defaults:

    HUB_FOLDER    where homes, the exchange and the hub's own files lie: build/hub
    HUB_COURSE    nbgrader's course folder: build/homework
    HUB_TEACHERS  names of teachers, with commas: teacher
    HUB_PORT      8000; the two ports after it are used as well

The passwords are new at each start, and stand in HUB_FOLDER/passwords: the students', then the teachers'.
"""

import os
import secrets
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
folder = Path(os.environ.get("HUB_FOLDER", ROOT / "build" / "hub")).resolve()
course = Path(os.environ.get("HUB_COURSE", ROOT / "build" / "homework")).resolve()
teachers = set(os.environ.get("HUB_TEACHERS", "teacher").split(","))
port = int(os.environ.get("HUB_PORT", "8000"))
passwords = [secrets.token_hex(4), secrets.token_hex(16)]  # as long as the hub wants them
exchange = folder / "exchange"
for path in (folder / "home", exchange):
    path.mkdir(parents=True, exist_ok=True)
(folder / "passwords").touch(0o600)
(folder / "passwords").write_text("\n".join(passwords))
exchange.chmod(0o777)  # nbgrader's rule: everybody submits, and only the owner reads what was submitted

c = get_config()  # noqa: F821
c.JupyterHub.bind_url = f"http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{port + 1}"
c.JupyterHub.db_url = f"sqlite:///{folder / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(folder / "cookie_secret")
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{port + 2}"
c.ConfigurableHTTPProxy.command = [str(folder / "node_modules" / ".bin" / "configurable-http-proxy")]
c.ConfigurableHTTPProxy.pid_file = str(folder / "proxy.pid")

# who may come in: a real class has accounts (PAMAuthenticator) or a login of the school (oauthenticator)
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password, c.SharedPasswordAuthenticator.admin_password = passwords
c.Authenticator.allow_all = True
c.Authenticator.username_pattern = r"[a-z0-9][a-z0-9_-]*"  # it becomes a folder's name
c.Authenticator.admin_users = teachers

# where servers run: a real class has an account (SystemdSpawner of TLJH) or a container (KubeSpawner) each
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = str(folder / "home" / "{username}")
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
if os.geteuid() == 0:
    c.Spawner.args = ["--allow-root"]  # in a container
c.Spawner.default_url = "/lab"
c.Spawner.http_timeout = c.Spawner.start_timeout = 120  # seconds; the first start reads many files
c.Spawner.environment = {
    "JUPYTER_CONFIG_PATH": str(HERE / "settings"),  # nbgrader's and the server's settings
    "HUB_EXCHANGE": str(exchange),
}
c.Spawner.env_keep = ["PATH", "LANG", "LC_ALL", "VIRTUAL_ENV"]


def prepare(spawner):
    """A teacher's server opens nbgrader's course folder, a student's the own home."""
    if spawner.user.name in teachers:
        course.mkdir(parents=True, exist_ok=True)
        spawner.notebook_dir = str(course)
        spawner.environment["HUB_COURSE"] = str(course)


c.Spawner.pre_spawn_hook = prepare
print(f"the hub: http://127.0.0.1:{port}, passwords in {folder / 'passwords'}", flush=True)
