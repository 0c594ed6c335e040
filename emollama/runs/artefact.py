"""What every trained model gives, whether it writes text or fuses features: one family."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np

from emollama.base.files import read_text
from emollama.features.tracks import TrackReader
from emollama.inputs.spec import InputSpec
from emollama.manifest.channels import Channel
from emollama.manifest.sample import Manifest, Sample
from emollama.runs.run_folder import CARD_FILE, read_record
from emollama.runs.subject import Subject

Family = Literal["llm", "fusion"]
TaskKind = Literal["label", "labels", "values", "label+values", "frames"]
"""What is predicted: a label, several labels, quantities of the clip, both, or of its frames."""


@dataclass(frozen=True)
class ModelAnswer:
    """What a model says of one sample.

    Attributes:
        scores: [K] of the model's labels: they sum to 1, or for several labels each is by itself.
        values: float64 [T] of a clip, [L, T] of frames; NaN where a frame has no answer.
        times: of frames, [L], seconds of their centres.
        text: what was written.
    """

    scores: np.ndarray | None = None
    values: np.ndarray | None = None
    times: np.ndarray | None = None
    text: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, every digit kept; NaN is None."""
        parts = {"scores": self.scores, "values": self.values, "times": self.times}
        found: dict[str, Any] = {k: _plain(v) for k, v in parts.items() if v is not None}
        return found if self.text is None else {**found, "text": self.text}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelAnswer:
        """Read what `to_dict` wrote; other keys are passed over."""
        parts = {
            k: np.array(values[k], np.float64) for k in ("scores", "values", "times") if k in values
        }
        return cls(**parts, text=values.get("text"))


def _plain(values: np.ndarray) -> list[Any]:
    if values.ndim > 1:
        return [_plain(row) for row in values]
    return [float(x) if np.isfinite(x) else None for x in values]


class LoadedSamples(ABC):
    """Samples of a corpus with what a model reads of them, ready to be asked about.

    Attributes:
        samples: those that can be asked about, in order.
        readers: of their feature tracks, by input.
        left_out: ids of those whose features or media cannot be read, and why.
        notes: what else people should be told of what was read.
        channels: those that any of the samples can be asked with.
    """

    samples: Sequence[Sample]
    readers: Mapping[str, TrackReader]
    left_out: Mapping[str, str]
    notes: Sequence[str] = ()
    channels: frozenset[Channel]

    def check(self, ids: Sequence[str]) -> None:  # noqa: B027  most have read everything
        """Read what the model reads of these, so that a file that cannot be read is told now."""

    @abstractmethod
    def chunks(self, batch_size: int, first: int | None = None) -> tuple[tuple[str, ...], ...]:
        """Ids that are asked about together; what a chunk gives depends on nothing but the chunk.

        `first`: of so many samples alone, those that come first.
        """

    @abstractmethod
    def answers(
        self, ids: Sequence[str], channels: Sequence[Channel], batch_size: int
    ) -> list[ModelAnswer]:
        """Scores and values with these channels present, of one of the chunks."""

    def written(
        self,
        ids: Sequence[str],
        channels: Sequence[Channel] | None,
        task: str,
        max_new_tokens: int,
        batch_size: int,
    ) -> list[ModelAnswer]:
        """Text that answers the question of a task; `channels` None shows all that there is."""
        raise NotImplementedError("see Artefact.writes")

    def true_values(self, sample_id: str) -> np.ndarray:
        """The true quantities, as `ModelAnswer.values`; NaN where they are not known."""
        raise NotImplementedError("see Artefact.values")

    @abstractmethod
    def subject(self) -> Subject:
        """The samples as what explanations ask about.

        Raises:
            EmollamaError: the model has no label scores to explain.
        """

    def gate_weights(self, row: int, noisy: str, level: float, seed: int) -> np.ndarray | None:
        """What the model's gate gives each of its inputs, [M], with noise on one of them.

        Args:
            row: of `samples`.
            noisy: name of the input that noise is put on, in deviations of its columns.
            level: how much; 0 for none.
            seed: of the noise.

        Returns:
            None where the model has no gate, or the sample lacks an input.
        """
        return None


class Artefact(ABC):
    """One folder that holds a trained model whole, opened.

    Attributes:
        folder: where it lies.
        family: which kind of model it is; to be shown, never to be asked.
        title: the same in words.
        writes: whether it gives reasons and can be asked in words.
    """

    folder: Path
    family: ClassVar[Family]
    title: ClassVar[str]
    writes: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def open(cls, folder: Path, dtype: str = "auto") -> Self:
        """Load it onto the accelerator, where there is one.

        Raises:
            EmollamaError: a file is missing or corrupt, or does not fit.
        """

    @property
    @abstractmethod
    def labels(self) -> tuple[str, ...]:
        """Its label set; () where it answers with values alone."""

    @property
    @abstractmethod
    def inputs(self) -> tuple[InputSpec, ...]:
        """What it reads."""

    @property
    def task(self) -> TaskKind:
        """What it predicts."""
        return "label"

    @property
    def values(self) -> tuple[str, ...]:
        """Names of the quantities that it answers with."""
        return ()

    @property
    def thresholds(self) -> Mapping[str, float]:
        """Of several labels: the score from which each is answered."""
        return {}

    @property
    def reads_clues(self) -> bool:
        """Whether a label is asked with clues in words."""
        return False

    @property
    def language_model(self) -> Path | None:
        """Folder of the frozen language model that it is built on."""
        return None

    @property
    def record(self) -> dict[str, Any]:
        """What was written of its training."""
        return read_record(self.folder)

    @property
    def card(self) -> str:
        """The model card; "" where there is none."""
        path = self.folder / CARD_FILE
        return read_text(path) if path.is_file() else ""

    def knows_truth(self, sample: Sample, task: str) -> bool:
        """Whether there is something to hold its answer to a sample against."""
        return True

    @abstractmethod
    def load_samples(
        self,
        manifest: Manifest,
        samples: Sequence[Sample],
        split: str,
        store: Path | None,
        features: Path | None = None,
    ) -> LoadedSamples:
        """Samples with their features or media.

        Args:
            manifest: that they are of.
            samples: to be read.
            split: that they are of, for messages.
            store: the feature store.
            features: where `npy:` folders of the same names lie.

        Raises:
            EmollamaError: none of them can be read, or other features than it was trained on.
        """
