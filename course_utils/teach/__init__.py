"""What a learner touches: figures, widgets, exercises that answer back, quizzes."""
