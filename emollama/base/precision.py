"""Names of the number formats a model can be opened in, without loading a library."""

from __future__ import annotations

from typing import Literal

Precision = Literal["auto", "float32", "bfloat16", "float16"]
"""For opening a model: "auto" is bfloat16 where the hardware supports it, else float32."""

TrainingPrecision = Literal["auto", "float32", "bfloat16"]
"""For training. Without loss scaling, small gradients in float16 would become 0."""
