"""Facts of the released Emotion-LLaMA (Cheng et al. 2024, NeurIPS): its streams, prompt and words.

The instruction strings and the prompt are quoted from github.com/ZebangCheng/Emotion-LLaMA
(BSD-3-Clause), because the released weights answer to exactly these. Training had separate places
for the 256 image tokens and the four utterance tokens; the released evaluation put all 260 in the
image's place, left the second placeholder as text, and began with two start tokens. The published
scores come from the latter form.
"""

from __future__ import annotations

from emollama.llm.configuration import StreamConfig
from emollama.manifest.channels import Channel

PATCHES, PATCH_WIDTH, CLASS_WIDTH, UTTERANCE_WIDTH = 256, 5632, 1408, 1024

PROMPT = (
    "[INST] <video>{image}</video> <feature>{face_mae}{video_mae}{hubert}{image_class}</feature> "
    "The person in video says: {text}.  {instruction}  [/INST]"
)
UPSTREAM_EVAL_PROMPT = (
    "[INST] <video>{image}{face_mae}{video_mae}{hubert}{image_class}</video> "
    "<feature><FeatureHere></feature> "
    "The person in video says: {text}.  {instruction}  [/INST]"
)
TURN = "[INST] {instruction} [/INST]"

INSTRUCTIONS: dict[str, tuple[str, ...]] = {
    "emotion": (
        "Please determine which emotion label in the video represents: happy, sad, neutral, "
        "angry, worried, surprise, fear, contempt, doubt.",
    ),
    "reason": (
        "Please analyze all the clues in the video and reason out the emotional label of the "
        "person in the video.",
        "What is the emotional state of the person in the video? Please tell me the reason.",
        "What are the facial expressions and vocal tone used in the video? What is the intended "
        "meaning behind his words? Which emotion does this reflect?",
        "Please integrate information from various modalities to infer the emotional category of "
        "the person in the video.",
        "Could you describe the emotion-related features of the individual in the video? What "
        "emotional category do they fall into?",
    ),
}

QUESTIONS: dict[str, str] = {
    "mer2024": "Please determine which emotion label in the video represents: happy, sad, neutral, "
    "angry, worried, surprise.",
}
"""What the release asks for the emotion on a corpus whose question is not the pool's.

minigpt4/datasets/datasets/mer2024.py at 4ee28d2: six words instead of nine.
"""

PROJECTORS: dict[str, str] = {
    "image": "llama_proj",
    "face_mae": "feats_llama_proj1",
    "video_mae": "feats_llama_proj2",
    "hubert": "feats_llama_proj3",
    "image_class": "cls_tk_llama_proj",
}
"""Name of each stream's projector in a released checkpoint."""

SOURCES: dict[str, str] = {
    "image": "eva-vit-g+part=patches",
    "face_mae": "npy:mae_340_UTT",
    "video_mae": "npy:maeV_399_UTT",
    "hubert": "npy:HL-UTT",
    "image_class": "eva-vit-g+part=class",
}
"""Source of each stream's features: an encoder, or a released folder of features.

On MER2024 the release names the same folders otherwise: `features.store.OTHER_NAMES`.
"""


def streams(sources: dict[str, str] | None = None) -> tuple[StreamConfig, ...]:
    """The five streams; a missing one is zeros, as in the training of the released weights."""
    found = {**SOURCES, **(sources or {})}

    def stream(name: str, channel: Channel, width: int, tokens: int = 1) -> StreamConfig:
        return StreamConfig(
            name,
            channel,
            found[name],
            width,
            tokens,
            absent="zeros",
            standardise=False,
        )

    return (
        stream("image", "face", PATCH_WIDTH, PATCHES),
        stream("face_mae", "face", UTTERANCE_WIDTH),
        stream("video_mae", "face", UTTERANCE_WIDTH),
        stream("hubert", "voice", UTTERANCE_WIDTH),
        stream("image_class", "face", CLASS_WIDTH),
    )
