"""A tiny artefact whose one stream, prosody, is made from real sound, and clips for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from emollama.base.paths import RECORD_FILE
from emollama.encoders.prosody import COLUMNS, ProsodyEncoder
from emollama.inputs.person import PersonPrior
from emollama.llm import artefact
from emollama.llm.clues import ClueWords
from emollama.llm.configuration import StreamConfig
from emollama.llm.options import LoraSection
from emollama.manifest.channels import Channel
from emollama.manifest.labels import get_label_set
from emollama.scoring.calibration.calibration import Calibration, ChannelCalibration
from tests.tiny import tiny_llm


def tiny_artefact(
    folder: Path, more: Sequence[StreamConfig] = (), prior: PersonPrior | None = None
) -> Path:
    """Voice by prosody in 4 tokens, a random LLaMA of 2 layers, random projectors and adapter.

    Args:
        folder: to be saved in.
        more: further streams.
        prior: where the voice is measured against people.
    """
    encoder = ProsodyEncoder(segments=4)
    streams = [
        StreamConfig("prosody", "voice", encoder.key, width=encoder.width, tokens=4,
                     fingerprint=encoder.fingerprint,
                     standardise=True if prior is None else "person"),
        *more,
    ]  # fmt: skip
    model, processor = artefact.build(
        str(tiny_llm(folder / "llm")), "emollama-chat", streams, get_label_set("mer2023"),
        LoraSection(r=4, alpha=8), torch.float32, seed=3,
    )  # fmt: skip
    draw = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.05 * torch.randn(parameter.shape, generator=draw)
    columns = torch.randn(8, encoder.width, generator=draw).numpy()
    clues = ClueWords.fit({"prosody": (COLUMNS, [row[None] for row in columns])})
    artefact.save(model, processor, clues, folder / "model", {}, "# card\n", prior=prior)
    return folder / "model"


@contextmanager
def learned_to_describe(artefact: Path) -> Iterator[None]:
    """Meanwhile its record says that it learned to list words of any vocabulary."""
    record = artefact / RECORD_FILE
    before = record.read_text()
    record.write_text(json.dumps({"config": {"tasks": {"describe": {"share": 1.0}}}}))
    try:
        yield
    finally:
        record.write_text(before)


def made_calibration(
    labels: Sequence[str],
    channels: tuple[Channel, ...] = ("voice", "words"),
    odd: float = 1.0,
    unseen: tuple[str, ...] = (),
) -> Calibration:
    """Of one person with one clip, at temperature 2: `odd` 1 lets every label into a set."""
    one = ChannelCalibration(
        channels=channels, temperature=2, oddness="simple", people=((odd,),), unseen=unseen
    )
    return Calibration(labels=tuple(labels), sets=(one,))
