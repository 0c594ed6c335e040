"""Full-size encoders at tiny size: the same transformers classes, random, linked under a name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizer,
    CLIPVisionConfig,
    CLIPVisionModel,
    Dinov2Config,
    Dinov2Model,
    HubertConfig,
    HubertModel,
    RobertaConfig,
    RobertaModel,
    VideoMAEConfig,
    VideoMAEModel,
    ViTMAEConfig,
    ViTMAEModel,
    Wav2Vec2Config,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
    WhisperConfig,
    WhisperModel,
)

from emollama.assets.folders import link
from emollama.assets.models import MODELS
from emollama.media.clip import SAMPLE_RATE, Clip, Frames

BLOCKS = 5
SIZE = {"hidden_size": 32, "num_hidden_layers": BLOCKS, "num_attention_heads": 4,
        "intermediate_size": 48}  # fmt: skip
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "voice", "is", "loud", "and", "he",
         "smiles", ".", "[", "]", "cls", "sep"]  # fmt: skip


def speech_config(config_class: Any, large: bool) -> Any:
    """Of HuBERT and its kin: layer norm, norms before blocks (large); group norm, after them."""
    return config_class(
        **SIZE,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=16,
        # oneDNN's bfloat16 is wrong at 8 channels a group on processors with AMX, not at 16 or 48.
        num_conv_pos_embedding_groups=2,
        feat_extract_norm="layer" if large else "group",
        do_stable_layer_norm=large,
        conv_bias=large,
    )


def tiny(name: str) -> Any:
    """A random model of the kind of `name`, with weights large enough to matter."""
    kind, large = MODELS[name].kind, "large" in name
    torch.manual_seed(0)
    picture = {**SIZE, "image_size": 28, "patch_size": 14}
    if kind in ("hubert", "wav2vec2", "wavlm"):
        classes: dict[str, tuple[Any, Any]] = {
            "hubert": (HubertConfig, HubertModel),
            "wav2vec2": (Wav2Vec2Config, Wav2Vec2Model),
            "wavlm": (WavLMConfig, WavLMModel),
        }
        config_class, model_class = classes[kind]
        model = model_class(speech_config(config_class, large))
    elif kind == "whisper":
        model = WhisperModel(
            WhisperConfig(
                vocab_size=60, d_model=32, encoder_layers=BLOCKS, decoder_layers=2,
                encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=48,
                decoder_ffn_dim=48, num_mel_bins=80, max_source_positions=100, pad_token_id=0,
                bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
            )
        )  # fmt: skip
    elif kind == "clip":
        model = CLIPVisionModel(CLIPVisionConfig(**picture))
    elif kind == "vit_mae":
        decoder = {"decoder_hidden_size": 32, "decoder_num_attention_heads": 4,
                   "decoder_num_hidden_layers": 1, "decoder_intermediate_size": 32}  # fmt: skip
        model = ViTMAEModel(ViTMAEConfig(**picture, mask_ratio=0.75, **decoder))
    elif kind == "videomae":
        model = VideoMAEModel(
            VideoMAEConfig(**picture, num_frames=4, tubelet_size=2, use_mean_pooling=False)
        )
    elif kind == "dinov2":
        del picture["intermediate_size"]
        model = Dinov2Model(Dinov2Config(**picture, mlp_ratio=2))
    elif kind == "roberta":
        model = RobertaModel(RobertaConfig(**SIZE, vocab_size=30, max_position_embeddings=40))
    else:
        size = {**SIZE, "vocab_size": len(WORDS), "max_position_embeddings": 40}
        model = BertModel(BertConfig(**size))
    with torch.no_grad():
        for parameter in model.parameters():
            # The usual deviation of .02 leaves all layers nearly alike.
            if parameter.ndim > 1:
                parameter.mul_(3)
    return model.eval()


def save(name: str, folder: Path, preprocessor: dict[str, Any] | None = None) -> Any:
    """Write a tiny model of that kind to a folder, with a tokenizer where it reads words."""
    model = tiny(name)
    model.save_pretrained(folder)
    kind = MODELS[name].kind
    if kind in ("bert", "sentence"):
        (folder / "vocab.txt").write_text("\n".join(WORDS))
        BertTokenizer.from_pretrained(folder).save_pretrained(folder)
    if preprocessor is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return model


def put(name: str, folder: Path, preprocessor: dict[str, Any] | None = None) -> Any:
    """`save`, and link the folder under its name in EMOLLAMA_HOME."""
    model = save(name, folder / name, preprocessor)
    link(name, folder / name)
    return model


def sound(seconds: float, seed: int = 0) -> Clip:
    """A gliding tone with noise."""
    generator = np.random.default_rng(seed)
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tone = np.sin(2 * np.pi * (200 + 40 * seed + 30 * t) * t)
    audio = 0.1 + 0.3 * tone + generator.normal(0, 0.02, len(t))
    return Clip(None, audio.astype(np.float32), seconds)


def film(frames: int, seed: int = 0, size: tuple[int, int] = (48, 64)) -> Clip:
    """Smooth random pictures, one every tenth of a second."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (frames, 6, 8, 3))
    images = coarse.repeat(size[0] // 6, axis=1).repeat(size[1] // 8, axis=2).astype(np.uint8)
    return Clip(Frames(images, np.arange(frames) / 10), None, frames / 10)


def states_of(outputs: Any) -> list[torch.Tensor]:
    """transformers' hidden states, the last one with the final normalisation."""
    states = [*outputs.hidden_states[:-1], outputs.last_hidden_state]
    assert len(states) == BLOCKS + 1
    return states
