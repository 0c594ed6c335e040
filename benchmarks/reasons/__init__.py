"""Reasons that are true: what they name, and whether they follow a changed cue."""
