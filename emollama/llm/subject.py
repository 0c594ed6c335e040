"""An EmotionLlama as the subject of an explanation.

Its streams take a fixed number of positions in the prompt, so a hidden step cannot be left out
without moving the others: it takes the mean of the visible steps, which adds no information. A
fully hidden track is absent. The subtitle is a track with one step per word, and a hidden word is
not in the prompt. Measured clues, if the model reads them for a label, describe the whole clip and
stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from emollama.encoders.base import FeatureTrack
from emollama.llm.inference import label_probabilities
from emollama.llm.modeling import EmotionLlama
from emollama.llm.processing import EmotionLlamaProcessor, Evidence, cut_text
from emollama.manifest.channels import CHANNELS, Channel
from emollama.runs.subject import Modality, Steps, View

TEXT = "text"
"""The subtitle's name among the tracks."""
BATCH = 8


class LlmSubject:
    """See `Subject`; the modalities are the channels.

    Args:
        model: in evaluation mode.
        processor: the model's.
        rows: the evidence of each sample.
        progress: called with each batch's size once it is answered.
    """

    def __init__(
        self,
        model: EmotionLlama,
        processor: EmotionLlamaProcessor,
        rows: Sequence[Evidence],
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self.model, self.processor = model, processor
        self.rows = list(rows)
        self.progress = progress
        streams = processor.streams
        # A stream may carry any name; the subtitle's must be its own.
        self.text = TEXT if all(s.name != TEXT for s in streams) else f"{TEXT} "
        held: dict[Channel, list[str]] = {
            c: [s.name for s in streams if s.channel == c] for c in CHANNELS
        }
        if processor.reads_text:
            held["words"].append(self.text)
        self.modalities = tuple(Modality(c, c, tuple(names)) for c, names in held.items() if names)
        self.tracks = tuple(n for m in self.modalities for n in m.tracks)
        self.labels = processor.labels.labels
        self.several = False

    def steps(self, row: int) -> dict[str, Steps]:
        """The tracks of a sample, by name."""
        evidence = self.rows[row]
        found: dict[str, Steps] = {}
        for modality in self.modalities:
            for name in modality.tracks:
                track = evidence.tracks.get(name)
                if track is not None:
                    times = np.asarray(track.times, np.float64)
                    found[name] = Steps(modality.name, modality.channel, times)
        words = cut_text(evidence.text).split() if evidence.text else []
        if words and self.text in self.tracks:
            found[self.text] = Steps("words", "words", np.zeros(len(words)), tuple(words))
        return found

    def present(self, row: int) -> frozenset[str]:
        """Names of the channels of a sample."""
        has = self.processor.channels(self.rows[row])
        return frozenset(m.name for m in self.modalities if m.name in has)

    def scores(self, views: Sequence[View]) -> np.ndarray:
        """Label scores float64 [n, K]; see `Subject.scores`."""
        return label_probabilities(
            self.model,
            self.processor,
            [self.shown(view) for view in views],
            BATCH,
            progress=self.progress,
        )

    def maps(self, row: int) -> dict[str, np.ndarray]:
        """None: the language model's attention is not recorded."""
        return {}

    def shown(self, view: View) -> Evidence:
        """The evidence of a view."""
        evidence = self.rows[view.row]
        tracks = dict(evidence.tracks)
        for name, hidden in view.hidden.items():
            track = tracks.get(name)
            if track is not None:
                tracks[name] = without_steps(track, np.asarray(hidden, bool))
        text = evidence.text
        if text and np.any(view.hidden.get(self.text, False)):
            kept = ~np.asarray(view.hidden[self.text], bool)
            words = [w for w, k in zip(cut_text(text).split(), kept, strict=True) if k]
            text = " ".join(words) or None
        return replace(
            evidence, tracks=tracks, text=text, channels=evidence.channels & view.present
        )


def without_steps(track: FeatureTrack, hidden: np.ndarray) -> FeatureTrack | None:
    """A track whose hidden steps [T] take the mean of the others; None if all are hidden."""
    if hidden.all():
        return None
    values = np.array(track.values)
    values[hidden] = values[~hidden].mean(axis=0)
    return replace(track, values=values)
