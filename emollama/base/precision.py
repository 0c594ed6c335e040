"""The number formats a model can be opened in, by name; no library is loaded to name them."""

from __future__ import annotations

from typing import Literal

Precision = Literal["auto", "float32", "bfloat16", "float16"]
"""To open a model in: "auto" is bfloat16 where the hardware multiplies in it, else float32."""

TrainingPrecision = Literal["auto", "float32", "bfloat16"]
"""To train in. Without scaled losses, the small gradients of float16 would become 0."""
