"""Calibrated probabilities and sets of labels, fitted on validation people."""
