"""Homework for nbgrader: from a source to what students get, and from what they hand in to points."""
