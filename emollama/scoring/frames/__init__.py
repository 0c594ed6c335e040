"""Predictions over time: smoothing, ensembles, submissions, figures."""
