"""For authors: the environment, and the editions of a lesson made from its one source."""
