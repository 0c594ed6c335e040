"""Outputs of public systems, read into predictions."""
