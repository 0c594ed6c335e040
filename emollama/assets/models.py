"""The table of full-size models: a name, where its weights are published, and what it is.

None of them is small enough to be embedded. Their weights are looked for by name (see
`emollama.assets.folders`) and read through transformers' own classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from emollama.base.errors import EmollamaError, did_you_mean

Kind = Literal[
    "hubert", "wav2vec2", "wavlm", "whisper",
    "clip", "vit_mae", "videomae", "dinov2", "eva",
    "bert", "roberta", "sentence",
]  # fmt: skip

MODEL_TYPES: dict[str, tuple[str, ...]] = {
    "hubert": ("hubert",),
    "wav2vec2": ("wav2vec2",),
    "wavlm": ("wavlm",),
    "whisper": ("whisper",),
    "clip": ("clip", "clip_vision_model"),
    "vit_mae": ("vit_mae",),
    "videomae": ("videomae",),
    "dinov2": ("dinov2",),
    "eva": ("blip_2_vision_model",),
    "bert": ("bert",),
    "roberta": ("roberta",),
    "sentence": ("bert",),
}
"""Kind to the `model_type`s that its config.json may state."""

MULTILINGUAL = 51_865
"""Tokens from which on a published Whisper knows many languages; English-only ones have one less
(openai/whisper, whisper/model.py, `is_multilingual`)."""


@dataclass(frozen=True)
class PublishedModel:
    """One set of full-size weights.

    Attributes:
        name: also the folder's name in the cache and the encoder's name in a spec.
        hub: repository on the model hub; None where the weights are on none.
        kind: which encoder reads it.
        width: D of a layer's states as published, for listings; a folder's own config.json rules.
        about: what it is and where it was published.
    """

    name: str
    hub: str | None
    kind: Kind
    width: int
    about: str


_ROWS: tuple[tuple[str, str | None, Kind, int, str], ...] = (
    # Voice
    ("chinese-hubert-large", "TencentGameMate/chinese-hubert-large", "hubert", 1024,
     "HuBERT large on 10,000 hours of Chinese (Hsu et al. 2021)"),
    ("hubert-base", "facebook/hubert-base-ls960", "hubert", 768,
     "HuBERT base on LibriSpeech (Hsu et al. 2021)"),
    ("hubert-large", "facebook/hubert-large-ls960-ft", "hubert", 1024,
     "HuBERT large, tuned to recognise LibriSpeech (Hsu et al. 2021)"),
    ("wav2vec2-base", "facebook/wav2vec2-base-960h", "wav2vec2", 768,
     "wav2vec 2.0 base, tuned to recognise LibriSpeech (Baevski et al. 2020)"),
    ("wav2vec2-large", "facebook/wav2vec2-large-960h", "wav2vec2", 1024,
     "wav2vec 2.0 large, tuned to recognise LibriSpeech (Baevski et al. 2020)"),
    ("wavlm-base", "microsoft/wavlm-base", "wavlm", 768, "WavLM base (Chen et al. 2022)"),
    ("wavlm-large", "microsoft/wavlm-large", "wavlm", 1024, "WavLM large (Chen et al. 2022)"),
    ("whisper-tiny", "openai/whisper-tiny", "whisper", 384,
     "Whisper tiny, multilingual, padded to 30 s (Radford et al. 2022)"),
    ("whisper-base", "openai/whisper-base", "whisper", 512,
     "Whisper base, multilingual, padded to 30 s (Radford et al. 2022)"),
    ("whisper-small", "openai/whisper-small", "whisper", 768,
     "Whisper small, multilingual, padded to 30 s (Radford et al. 2022)"),
    ("whisper-medium", "openai/whisper-medium", "whisper", 1024,
     "Whisper medium, multilingual, padded to 30 s (Radford et al. 2022)"),
    ("whisper-large-v3", "openai/whisper-large-v3", "whisper", 1280,
     "Whisper large v3, multilingual, padded to 30 s (Radford et al. 2022)"),
    # Face
    ("clip-vit-large-patch14", "openai/clip-vit-large-patch14", "clip", 1024,
     "CLIP ViT-L/14, image tower (Radford et al. 2021)"),
    ("vit-mae-large", "facebook/vit-mae-large", "vit_mae", 1024,
     "masked autoencoder ViT-L/16 on ImageNet (He et al. 2022)"),
    ("mer-mae-large", None, "vit_mae", 1024,
     "masked autoencoder ViT-L/16 on MER2023's faces (Lian et al. 2023)"),
    ("videomae-base", "MCG-NJU/videomae-base", "videomae", 768,
     "VideoMAE ViT-B on Kinetics-400 (Tong et al. 2022)"),
    ("videomae-large", "MCG-NJU/videomae-large", "videomae", 1024,
     "VideoMAE ViT-L on Kinetics-400 (Tong et al. 2022)"),
    ("mer-videomae-large", None, "videomae", 1024,
     "VideoMAE ViT-L on MER2023's faces (Lian et al. 2023)"),
    ("dinov2-base", "facebook/dinov2-base", "dinov2", 768, "DINOv2 ViT-B/14 (Oquab et al. 2023)"),
    ("dinov2-large", "facebook/dinov2-large", "dinov2", 1024,
     "DINOv2 ViT-L/14 (Oquab et al. 2023)"),
    ("eva-vit-g", None, "eva", 1408,
     "EVA-CLIP ViT-g/14 as BLIP-2 uses it, at 448 pixels (Fang et al. 2023, Li et al. 2023)"),
    # Words
    ("bert-base-uncased", "google-bert/bert-base-uncased", "bert", 768,
     "BERT base, English (Devlin et al. 2019)"),
    ("roberta-base", "FacebookAI/roberta-base", "roberta", 768,
     "RoBERTa base, English (Liu et al. 2019)"),
    ("roberta-large", "FacebookAI/roberta-large", "roberta", 1024,
     "RoBERTa large, English (Liu et al. 2019)"),
    ("chinese-roberta-wwm-ext-large", "hfl/chinese-roberta-wwm-ext-large", "bert", 1024,
     "RoBERTa large, Chinese, whole words masked; a BERT in form (Cui et al. 2021)"),
    ("chinese-macbert-large", "hfl/chinese-macbert-large", "bert", 1024,
     "MacBERT large, Chinese; a BERT in form (Cui et al. 2020)"),
    ("all-minilm-l6-v2", "sentence-transformers/all-MiniLM-L6-v2", "sentence", 384,
     "MiniLM sentence vectors, English (Wang et al. 2020, Reimers and Gurevych 2019)"),
)  # fmt: skip

MODELS: dict[str, PublishedModel] = {row[0]: PublishedModel(*row) for row in _ROWS}


def get_model(name: str) -> PublishedModel:
    """The entry called `name`; an unknown name is an `EmollamaError`."""
    if name not in MODELS:
        raise EmollamaError(f"model '{name}' is unknown{did_you_mean(name, MODELS)}")
    return MODELS[name]
