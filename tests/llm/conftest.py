from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from emollama.encoders.base import FeatureTrack
from emollama.llm import artefact
from emollama.llm.configuration import StreamConfig
from emollama.llm.options import LoraSection
from emollama.llm.processing import Evidence
from emollama.manifest.labels import get_label_set
from tests.tiny import tiny_llm

STREAMS = (
    StreamConfig("voice", "voice", "w", width=12, tokens=4, layers=3, dropout=0.1),
    StreamConfig("prosody", "voice", "p", width=5, tokens=1),
    StreamConfig("face", "face", "f", width=7, tokens=2, projector="mlp", hidden=9),
)


@pytest.fixture(scope="session")
def llm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llm(tmp_path_factory.mktemp("llm"))


@pytest.fixture
def built(llm: Path):
    return artefact.build(
        str(llm), "emollama-chat", STREAMS, get_label_set("mer2023"),
        LoraSection(r=4, alpha=8), torch.float32, seed=3,
    )  # fmt: skip


def evidence(seed: int, text: str | None = "Well, look at this.", **without: bool) -> Evidence:
    draw = np.random.default_rng(seed)
    tracks = {
        s.name: None
        if without.get(s.channel)
        else FeatureTrack(
            draw.normal(size=(6, s.width)).astype(np.float32), np.arange(6, dtype=np.float32)
        )
        for s in STREAMS
    }
    return Evidence(tracks, text)
