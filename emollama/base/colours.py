"""Colours of expressions, the same on every page and in every report.

Okabe and Ito's, which colour-blind readers can tell apart.
"""

from __future__ import annotations

EXPRESSION_COLOURS = {
    "angry": "#D55E00", "disgust": "#009E73", "fear": "#CC79A7", "happy": "#F0C000",
    "sad": "#0072B2", "surprise": "#56B4E9", "neutral": "#b4b4b4",
}  # fmt: skip
