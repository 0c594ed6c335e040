"""A loaded model, ready to be asked about clips. What the command line, page and server share."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

from transformers import TextIteratorStreamer

from emollama.encoders.base import FeatureTrack
from emollama.errors import EmollamaError
from emollama.features.online import ClipEncoders
from emollama.features.store import EXTERNAL
from emollama.fusion.artefact import is_fusion_artefact
from emollama.llm import artefact
from emollama.llm.configuration import require_same_encoder
from emollama.llm.device import default_device, resolve_dtype
from emollama.llm.inference import label_probabilities, reasons, to_device
from emollama.llm.processing import LONGEST_TEXT, Evidence, Turn, cut_text


@dataclass(frozen=True)
class Look:
    """A clip once it has been encoded: evidence for the model, and what there is to say of it."""

    evidence: Evidence
    duration: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What the model makes of a clip.

    `scores` are probabilities over the label set; `label` the most probable; `clues` measured
    words by channel; `reason` free text, or None when it was not asked for. A model of several
    labels answers with `labels` (each score by itself) in place of one, one of quantities with
    `values`; of frames, those are means over the clip, and `frames` holds them over time, with
    the "times" of the frames in seconds.
    """

    label: str | None
    scores: dict[str, float]
    channels: tuple[str, ...]
    clues: dict[str, str]
    text: str | None
    reason: str | None
    notes: tuple[str, ...]
    seconds: float
    labels: tuple[str, ...] | None = None
    values: dict[str, float] | None = None
    frames: dict[str, list[float]] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        more: dict[str, Any] = {}
        if self.labels is not None:
            more["labels"] = list(self.labels)
        if self.values is not None:
            more["values"] = {k: round(v, 6) for k, v in self.values.items()}
        if self.frames is not None:
            more["frames"] = {k: [round(x, 6) for x in v] for k, v in self.frames.items()}
        return {
            **more,
            "label": self.label,
            "scores": {k: round(v, 6) for k, v in self.scores.items()},
            "channels": list(self.channels),
            "clues": self.clues,
            "text": self.text,
            "reason": self.reason,
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
        }


@dataclass
class Session:
    """An artefact with the encoders of its streams."""

    artefact: artefact.Artefact
    encoders: ClipEncoders = field(default_factory=ClipEncoders)

    @classmethod
    def open(cls, folder: Path, dtype: str = "auto") -> Session:
        """Load an artefact and build the encoders that its streams name."""
        if is_fusion_artefact(folder):
            raise EmollamaError(
                f"{folder}: is a fusion model, which answers with labels and writes no text; "
                "ask it with `emollama predict`"
            )
        device = default_device()
        loaded = artefact.load(folder, resolve_dtype(dtype, device), device)
        streams = [s for s in loaded.processor.streams if not s.source.startswith(EXTERNAL)]
        sources = {s.source: s.fingerprint for s in reversed(streams)}
        encoders = ClipEncoders.open(sources, str(device))
        for stream in streams:
            found = encoders.encoders[stream.source].fingerprint
            require_same_encoder(stream, found, str(folder))
        return cls(loaded, encoders)

    def look(
        self,
        video: Path,
        text: str | None = None,
        start: float | None = None,
        end: float | None = None,
    ) -> Look:
        """Decode and encode a clip, by the same code as extraction.

        Streams from external tracks cannot be made from a clip; they count as missing, and the
        look's notes say so.
        """
        clip, made = self.encoders.encode(video, text, start, end)
        tracks: dict[str, FeatureTrack | None] = {}
        notes = list(clip.notes)
        for stream in self.artefact.processor.streams:
            tracks[stream.name] = made.get(stream.source)
            if stream.source.startswith(EXTERNAL):
                notes.append(f"stream '{stream.name}' comes from an external folder: left out")
        for channel in ("voice", "face"):
            mine = [s for s in self.artefact.processor.streams if s.channel == channel]
            if mine and all(tracks[s.name] is None for s in mine):
                notes.append(f"no {channel} in this clip")
        if not text and all(t is None for t in tracks.values()):
            raise EmollamaError(f"{video}: has no voice, no face and no words to go by")
        if text and cut_text(text) != text:
            notes.append(f"of the words the first {LONGEST_TEXT} are read")
        words = self.artefact.clues.describe(tracks)
        return Look(Evidence(tracks, text, words), clip.duration, tuple(dict.fromkeys(notes)))

    def answer(self, look: Look, explain: bool = True, max_new_tokens: int = 96) -> Answer:
        """Label scores and, if asked for, a reason."""
        started = time.monotonic()
        model, processor = self.artefact.model, self.artefact.processor
        scores = label_probabilities(model, processor, [look.evidence])[0]
        reason = None
        if explain:
            reason = reasons(model, processor, [look.evidence], max_new_tokens)[0]
        return Answer(
            label=processor.labels.labels[int(scores.argmax())],
            scores=dict(zip(processor.labels.labels, scores.tolist(), strict=True)),
            channels=processor.channels(look.evidence),
            clues=dict(look.evidence.clues),
            text=look.evidence.text,
            reason=reason,
            notes=look.notes,
            seconds=time.monotonic() - started,
        )

    def chat(
        self, look: Look, turns: Sequence[Turn], max_new_tokens: int = 128, **options: Any
    ) -> Iterator[str]:
        """The answer to the last user turn, piece by piece.

        The clip stands in the first user turn; the first question follows it, the rest are turns.
        """
        if not turns or turns[-1].role != "user":
            raise EmollamaError("a chat needs a question from the user")
        processor = self.artefact.processor
        prompt = processor.encode_prompt(look.evidence, turns[0].text, turns[1:])
        device = next(self.artefact.model.parameters()).device
        batch = to_device(processor.collate([prompt]), device)
        streamer = TextIteratorStreamer(processor.tokenizer, skip_special_tokens=True)
        keys = ("input_ids", "stream_ids", "features", "present", "attention_mask")
        failure: list[BaseException] = []

        def run() -> None:
            try:
                self.artefact.model.generate(
                    **{k: batch[k] for k in keys},
                    streamer=streamer,
                    max_new_tokens=max_new_tokens,
                    eos_token_id=processor.end_id,
                    pad_token_id=processor.pad_id,
                    **{"do_sample": False, **options},
                )
            except BaseException as error:
                failure.append(error)
                streamer.end()

        worker = Thread(target=run, daemon=True)
        worker.start()
        yield from streamer
        worker.join()
        if failure:
            raise failure[0]

    def question(self, task: str) -> str:
        """The instruction with which a task is asked."""
        return self.artefact.processor.instruction(task)
