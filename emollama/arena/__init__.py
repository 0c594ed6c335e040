"""The arena: everybody's models over the same clips, questions and metrics."""
