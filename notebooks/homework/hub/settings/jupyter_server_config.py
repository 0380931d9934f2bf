"""The server's settings: the formgrader is the teacher's."""

import os

c = get_config()  # noqa: F821
if not os.environ.get("HUB_COURSE"):
    c.ServerApp.jpserver_extensions = {
        "nbgrader.server_extensions.formgrader": False,
        "nbgrader.server_extensions.course_list": False,
    }
