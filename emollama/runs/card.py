"""What every model card says of terms and of intended use."""

from __future__ import annotations

TERMS: dict[str, str] = {
    "ravdess": "RAVDESS is CC BY-NC-SA 4.0: what is trained on it is for non-commercial use.",
    "merr": "MERR and the MER2023 clips it annotates are for research only, under their end-user "
    "licence agreement.",
    "mer2023": "MER2023 is for research only, under its end-user licence agreement.",
    "mer2024": "MER2024 is for research only, under its end-user licence agreement.",
    "relative": "MER2023 is for research only, under its end-user licence agreement.",
    "meld": "MELD is GPL-3.0; its clips are from a television series and for research only.",
    "probe": "The probe corpus is rendered: it holds no recordings of people.",
}
"""Terms of the training data by how a corpus' name begins."""


INTENDED_USE = """## Intended use

Research on how emotion is shown in face, voice and words. The labels are of emotion as acted or
annotated, which is not emotion as felt. Not for judging people at work, at school, in policing,
credit or health, nor for watching anyone who has not agreed to it.
"""


def terms(corpus: str) -> str:
    """What the data's terms mean for a model that was trained on it."""
    for name, text in TERMS.items():
        if corpus.lower().startswith(name):
            return text
    return f"The terms of `{corpus}` are not known here; they hold for this model too. See to them."
