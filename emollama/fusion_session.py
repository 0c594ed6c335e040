"""A fusion model ready to be asked about clips: the encoders of its modalities, then itself."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch

from emollama.config import checked
from emollama.encoders.base import FeatureTrack
from emollama.errors import EmollamaError
from emollama.features.online import ClipEncoders
from emollama.features.store import EXTERNAL
from emollama.fusion import artefact
from emollama.fusion.answers import Answers, answers
from emollama.fusion.artefact import FusionArtefact
from emollama.fusion.batch import FusionBatch
from emollama.fusion.data import clip_batch, require_same_encoder
from emollama.fusion.raw_media import RawTrack
from emollama.fusion.raw_reading import read_one
from emollama.fusion.thresholds import THRESHOLD
from emollama.llm.device import default_device
from emollama.session import Answer
from emollama.training.strategies.table import strategy_class


@dataclass(frozen=True)
class Seen:
    """A clip once it has been encoded."""

    batch: FusionBatch
    text: str | None
    notes: tuple[str, ...]


@dataclass
class FusionSession:
    """An artefact with the encoders of its modalities."""

    artefact: FusionArtefact
    encoders: ClipEncoders
    device: torch.device

    @classmethod
    def open(cls, folder: Path) -> FusionSession:
        """Load an artefact and build the encoders that its modalities name.

        Raises:
            EmollamaError: no encoder can be built for any of them, or one is another version.
        """
        device = default_device()
        loaded = artefact.load(folder, device)
        cached = [s for s in loaded.sections if s.kind == "track"]
        online = [s for s in cached if not s.source.startswith(EXTERNAL)]
        if not online and len(cached) == len(loaded.sections):
            raise EmollamaError(
                f"{folder}: all its modalities come from folders of .npy files, which cannot be "
                "made from a clip; evaluate it on a manifest instead"
            )
        sources = {s.source: s.fingerprint for s in reversed(online)}
        encoders = ClipEncoders.open(sources, str(device))
        for section in online:
            found = encoders.encoders[section.source].fingerprint
            require_same_encoder(section, found, str(folder))
        return cls(loaded, encoders, device)

    def look(
        self,
        video: Path,
        text: str | None = None,
        start: float | None = None,
        end: float | None = None,
    ) -> Seen:
        """Decode and encode a clip, by the same code as extraction.

        A file with sound only will do; a modality that it lacks, or that comes from an external
        folder, is absent, and the notes say so.

        Raises:
            EmollamaError: nothing of what the model knows is there.
        """
        clip, made = self.encoders.encode(video, text, start, end)
        notes = list(clip.notes)
        tracks: dict[str, FeatureTrack | RawTrack | None] = {}
        sections = self.artefact.sections
        for section in sections:
            if section.kind != "track":
                tracks[section.name] = read_one(section, video, text, start, end)
                continue
            tracks[section.name] = made.get(section.source)
            if section.source.startswith(EXTERNAL):
                notes.append(f"modality '{section.name}' comes from an external folder: left out")
        for channel in ("voice", "face", "words"):
            mine = [s.name for s in sections if s.channel == channel]
            if mine and all(tracks[name] is None for name in mine):
                notes.append("no words are given" if channel == "words"
                             else f"no {channel} in this clip")  # fmt: skip
        if all(track is None for track in tracks.values()):
            known = ", ".join(sorted({s.channel for s in sections}))
            raise EmollamaError(f"{video}: has nothing of what this model goes by ({known})")
        first = sections[0]
        if self.artefact.config.goal.kind == "frames" and tracks[first.name] is None:
            raise EmollamaError(
                f"{video}: has no {first.channel}, whose frames this model answers one by one"
            )
        return Seen(clip_batch(sections, tracks), text, tuple(dict.fromkeys(notes)))

    def answer(self, look: Seen) -> Answer:
        """Scores of labels, or values."""
        started = time.monotonic()
        loaded = self.artefact
        kind = strategy_class(loaded.about.strategy)
        options = checked(
            kind.options_class, loaded.about.options, f"strategy {loaded.about.strategy}"
        )
        found = answers(
            loaded.config,
            lambda batch: kind.answered(loaded.models, batch, options),
            [look.batch],
            self.device,
        )
        channels = [
            s.channel for s in loaded.config.sections if bool(look.batch.present(s.name).any())
        ]
        return self._told(found, look, tuple(dict.fromkeys(channels)), started)

    def _told(
        self, found: Answers, look: Seen, channels: tuple[str, ...], started: float
    ) -> Answer:
        config = self.artefact.config
        scores: dict[str, float] = {}
        label, labels, values, frames = None, None, None, None
        if found.labels is not None:
            scores = dict(zip(config.labels, found.labels[0].tolist(), strict=True))
            if config.goal.kind == "labels":
                limits = self.artefact.about.thresholds
                labels = tuple(x for x, p in scores.items() if p >= limits.get(x, THRESHOLD))
            else:
                label = max(scores, key=lambda x: scores[x])
        if found.values is not None:
            one = found.values[0]
            if found.times is not None:
                frames = {"times": found.times[0].tolist()}
                frames |= {x: one[:, k].tolist() for k, x in enumerate(config.goal.values)}
                one = one.mean(axis=0)
            values = dict(zip(config.goal.values, one.tolist(), strict=True))
        return Answer(
            label=label,
            scores=scores,
            channels=channels,
            clues={},
            text=look.text,
            reason=None,
            notes=look.notes,
            seconds=time.monotonic() - started,
            labels=labels,
            values=values,
            frames=frames,
        )
