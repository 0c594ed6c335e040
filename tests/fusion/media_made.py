"""A corpus of small real clips, and a tiny text and speech encoder with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, RobertaConfig, RobertaModel

from emollama.manifest.labels import label_set
from emollama.manifest.sample import Sample, Targets, write_manifest
from tests.fusion.test_trainable import SMALL, saved_speech
from tests.media.recording import record

LABELS = label_set("two", "glad", "sad")
WORDS = {"glad": "what a lovely day", "sad": "it is all over"}
LONGEST = 12  # tokens
SIDE = 64


def saved_text(folder: Path) -> Path:
    """A RoBERTa of two layers that reads twelve tokens, and its tokenizer: whole words."""
    said = sorted({word for text in WORDS.values() for word in text.split()})
    vocabulary = {w: i for i, w in enumerate(["<s>", "<pad>", "</s>", "<unk>", *said])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>",
        unk_token="<unk>", cls_token="<s>", sep_token="</s>",
    )  # fmt: skip
    fast.save_pretrained(folder)
    torch.manual_seed(2)
    config = RobertaConfig(
        **SMALL, vocab_size=len(vocabulary), max_position_embeddings=LONGEST + 2, pad_token_id=1,
        type_vocab_size=1,
    )  # fmt: skip
    RobertaModel(config).save_pretrained(folder)
    return folder


def make(folder: Path, clips: int = 8) -> Path:
    """Write clips, manifest, encoders and `fusion.yaml`; return the last.

    `clip-0` is no media file, `clip-1` has no sound and a text that is too long, `clip-2` no
    picture. One clip in four validates and one tests.
    """
    samples = []
    for i in range(clips):
        label = LABELS.labels[i % 2]
        name = f"clip-{i}" + (".m4a" if i == 2 else ".mp4")
        if i == 0:
            (folder / name).write_bytes(b"no media at all" * 20)
        else:
            record(
                folder / name, seconds=0.6 + 0.1 * i, fps=10, video=i != 2,
                sound_rate=None if i == 1 else 16000, voice=True,
            )  # fmt: skip
        text = WORDS[label] + " over" * 20 * (i == 1)
        split = ("train", "train", "val", "test")[i // 2 % 4]
        samples.append(
            Sample(
                id=f"clip-{i}", video=name, text=text, split=split, targets=Targets(emotion=label)
            )
        )
    write_manifest(folder / "manifest.jsonl", "made", LABELS, samples)
    modalities: list[dict[str, Any]] = [
        {"name": "words", "kind": "tokens", "source": str(saved_text(folder / "text"))},
        {"name": "voice", "kind": "waveform", "source": str(saved_speech(folder / "speech"))},
        {"name": "face", "kind": "frames", "count": 2, "per_second": 4, "side": SIDE},
        {"name": "mel", "kind": "fbank"},
    ]
    channels = {"tokens": "words", "waveform": "voice", "frames": "face", "fbank": "voice"}
    config = {
        "output": str(folder / "run"),
        "data": {"manifest": str(folder / "manifest.jsonl")},
        "fusion": {
            "system": "amst",
            "modalities": [{**m, "channel": channels[m["kind"]]} for m in modalities],
            "options": {"width": 8, "fbank_frames": 64},
        },
        "training": {"epochs": 2, "batch_size": 2, "optimizer": "sgd", "momentum": 0.0,
                     "learning_rate": 0.05, "save_every_epochs": 9},
    }  # fmt: skip
    path = folder / "fusion.yaml"
    path.write_text(yaml.safe_dump(config))
    return path
