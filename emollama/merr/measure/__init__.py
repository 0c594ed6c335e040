"""Measurements of clips, in worker processes that decode each clip once."""
