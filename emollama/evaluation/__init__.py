"""Evaluation: predictions files, metrics with intervals, classical baselines and reports."""
