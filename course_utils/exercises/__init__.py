"""The exercises of the lessons, one module a lesson, each holding `Exercise` and `Question` objects."""
