"""The drawing machine behind the rendered labs: objects on a board, grounds, captions, whole pictures."""
