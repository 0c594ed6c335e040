"""What a model answers about the segments of a recording."""
