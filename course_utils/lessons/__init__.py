"""Set-ups and drawings that a lesson shares with its companions: one module a lesson, named as the lesson."""
