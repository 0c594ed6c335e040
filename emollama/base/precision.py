"""Names of the number formats a model can be opened in, without loading a library of models."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

Precision = Literal["auto", "float32", "bfloat16", "float16"]
"""For opening a model: "auto" is bfloat16 where the hardware is fast in it or the weights are
stored in 16 bits, else float32."""

TrainingPrecision = Literal["auto", "float32", "bfloat16"]
"""For training. Without loss scaling, small gradients in float16 would become 0."""

Quantisation = Literal["none", "8bit", "4bit"]
"""How the frozen language model is held: in full, by LLM.int8(), or as NF4."""

Quantise = Annotated[
    Quantisation | None,
    typer.Option(
        "--quantise", show_default="as in training",
        help="Hold the frozen language model in 8 or 4 bits, the adapters beside it.",
    ),
]  # fmt: skip
