"""For authors: the editions of a lesson, made from its one source."""
