"""nbgrader's settings for each server of the hub: the exchange; for a teacher also the course folder."""

import os

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "xai"
c.Exchange.root = os.environ["HUB_EXCHANGE"]
if folder := os.environ.get("HUB_COURSE"):
    c.CourseDirectory.root = folder
    load_subconfig("nbgrader_config.py", path=folder)  # noqa: F821
else:
    c.CourseDirectory.student_id = os.environ["JUPYTERHUB_USER"]  # else the name of the system's account
