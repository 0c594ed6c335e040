"""The model card: the model, its training data and its intended use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

TERMS: dict[str, str] = {
    "ravdess": "RAVDESS is CC BY-NC-SA 4.0: models trained on it are for non-commercial use only.",
    "emodb": "EMO-DB is published without terms of its own (usage listed as unrestricted): cite "
    "Burkhardt et al. 2005.",
    "javased": "Java-SED is MIT; its authors ask to be contacted for commercial use.",
    "merr": "MERR and the MER2023 clips it annotates are for research only, under their end-user "
    "licence agreement.",
    "mer2023": "MER2023 is for research only, under its end-user licence agreement.",
    "mer2024": "MER2024 is for research only, under its end-user licence agreement.",
    "relative": "MER2023 is for research only, under its end-user licence agreement.",
    "meld": "MELD is GPL-3.0; its clips are from a television series and for research only.",
    "probe": "The probe corpus is rendered: it holds no recordings of people.",
}
"""Terms of the training data, by prefix of the corpus name."""


INTENDED_USE = """## Intended use

Research on how emotion is shown in face, voice and words. The labels are of emotion as acted or
annotated, which is not emotion as felt. Not for judging people at work, at school, in policing,
credit or health, nor for watching anyone who has not agreed to it.
"""


def terms(corpus: str) -> str:
    """The terms of the training data, as they apply to the model."""
    for name, text in TERMS.items():
        if corpus.lower().startswith(name):
            return text
    return (
        f"The terms of `{corpus}` are not known to emollama. They also apply to this model: "
        "check them."
    )


def model_card(
    name: str,
    made: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    answers: str,
    corpus: str,
    base_model: str | None = None,
    mixture: Sequence[Mapping[str, Any]] = (),
) -> str:
    """The card of a trained model, in Markdown.

    Args:
        name: of the run.
        made: what the model is and how it was trained.
        columns: of the table of inputs.
        rows: an input each.
        answers: what it answers with.
        corpus: it was trained on.
        base_model: the language model under it; it is then a LoRA.
        mixture: the corpora, if there are several (`inputs.mixture`).
    """
    under = f"base_model: {base_model}\n" if base_model else ""
    licence = f" The language model `{base_model}` keeps its own licence." if base_model else ""
    corpora = list(dict.fromkeys(part["corpus"] for part in mixture)) or [corpus]
    return f"""---
library_name: emollama
{under}tags: [emotion-recognition, multimodal{", lora" * bool(base_model)}]
---

# {name}

{made}

{_table(columns, rows)}

{answers}.
{_mixture(mixture)}
Use: `emollama predict CLIP --model FOLDER`. The effective configuration, the versions of all
libraries and the training log are in `training_record.json`.

## Terms

{" ".join(terms(one) for one in corpora)}{licence}

{INTENDED_USE}"""


def _mixture(parts: Sequence[Mapping[str, Any]]) -> str:
    """The section on several corpora; "" where there is one."""
    if not parts:
        return ""
    columns = ("corpus", "samples", "share", "language", "channels", "labels", "left out")
    rows = [
        (
            part["corpus"],
            part["samples"],
            f"{part['share']:.0%}",
            part["language"] or "not given",
            ", ".join(part["channels"]),
            ", ".join(part["labels"]),
            ", ".join(f"{x} {n}" for x, n in part["labels_left_out"].items()) or "none",
        )
        for part in parts
    ]
    return f"\n## Training data\n\n{_table(columns, rows)}\n"


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
