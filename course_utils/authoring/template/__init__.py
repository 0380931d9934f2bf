"""The files of a new lesson: `python -m course_utils.authoring.template 14_new_method` writes them."""
