"""Names of the systems that are compared with a model in a predictions file."""

from __future__ import annotations

JOINT = "logistic regression"
LATE = "late fusion"
MAJORITY = "majority class"
CHANCE = "chance"

TEMPLATE = "template of the measured clues"
"""The model's own answers, with the sentence of the measured clues in place of its reasons."""
WITHOUT_CLUES = "model without measured clues"
"""The model asked for a reason without the clues that its prompts otherwise hold."""
SHOWN = "reasons as shown"
"""The model's reasons as a user sees them: held against the measured clues, without what these do
not bear out (`scoring.reasons.check`)."""
OF_REASONS = (SHOWN, TEMPLATE, WITHOUT_CLUES)
"""Answered beside the model to compare reasons with, and for nothing else."""
