"""Regressions beside the language model: of labels by channel, and of clues."""
