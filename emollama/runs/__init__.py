"""Runs: folder, record and card of a run, and the interface of every trained model."""
