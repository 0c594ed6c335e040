"""Names of the systems that are compared with a model in a predictions file."""

from __future__ import annotations

JOINT = "logistic regression"
LATE = "late fusion"
MAJORITY = "majority class"
CHANCE = "chance"
