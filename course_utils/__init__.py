"""The package behind the course.

labs (what is explained), methods (how), judge (how well), teach (what a learner touches).
"""
