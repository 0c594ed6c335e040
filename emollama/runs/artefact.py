"""The common interface of trained models: language models and fusion models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np

from emollama.assets.hub import pinned_name
from emollama.assets.people import shipped_name
from emollama.base.errors import EmollamaError
from emollama.base.files import read_text
from emollama.base.paths import CALIBRATION_FILE, FAMILIARITY_FILE
from emollama.base.precision import Quantisation
from emollama.features.tracks import TrackReader
from emollama.inputs.enrolment import Known, face_inputs, person_inputs
from emollama.inputs.familiarity import Familiarity, read_familiarity
from emollama.inputs.person import PersonPrior
from emollama.inputs.person_file import PRIOR_FILE, read_prior
from emollama.inputs.spec import InputSpec
from emollama.manifest.channels import Channel
from emollama.manifest.sample import Manifest, Sample
from emollama.runs.run_folder import CARD_FILE, read_record
from emollama.runs.subject import Subject
from emollama.scoring.calibration.calibration import Calibration, read_calibration
from emollama.scoring.reasons.check import CheckedReason

Family = Literal["llm", "fusion"]
TaskKind = Literal["label", "labels", "values", "label+values", "frames"]
"""The prediction: a label, several labels, values of the clip, both, or values of its frames."""


@dataclass(frozen=True)
class ModelAnswer:
    """The answer of a model to one sample.

    Attributes:
        scores: [K] of the model's labels: they sum to 1, or are independent for several labels.
        values: float64 [T] of a clip, [L, T] of frames; NaN where a frame has no answer.
        times: of frames, [L], centres in seconds.
        text: generated text.
    """

    scores: np.ndarray | None = None
    values: np.ndarray | None = None
    times: np.ndarray | None = None
    text: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, with all digits; NaN is None."""
        parts = {"scores": self.scores, "values": self.values, "times": self.times}
        found: dict[str, Any] = {k: _plain(v) for k, v in parts.items() if v is not None}
        return found if self.text is None else {**found, "text": self.text}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelAnswer:
        """The inverse of `to_dict`; other keys are ignored."""
        parts = {
            k: np.array(values[k], np.float64) for k in ("scores", "values", "times") if k in values
        }
        return cls(**parts, text=values.get("text"))


def _plain(values: np.ndarray) -> list[Any]:
    if values.ndim > 1:
        return [_plain(row) for row in values]
    return [float(x) if np.isfinite(x) else None for x in values]


class LoadedSamples(ABC):
    """Samples of a corpus with their model inputs.

    Attributes:
        samples: the usable samples, in order.
        readers: of their feature tracks, by input.
        left_out: ids of samples whose features or media cannot be read, and why.
        notes: remarks for the user about the data.
        channels: channels available in any sample.
        known: what people are known by; None measures features against the training corpus.
    """

    samples: Sequence[Sample]
    readers: Mapping[str, TrackReader]
    left_out: Mapping[str, str]
    notes: Sequence[str] = ()
    channels: frozenset[Channel]
    known: Known | None = None

    def check(self, ids: Sequence[str]) -> None:  # noqa: B027  most have read everything
        """Read the inputs of these samples, so that an unreadable file is reported now."""

    @abstractmethod
    def chunks(self, batch_size: int, first: int | None = None) -> tuple[tuple[str, ...], ...]:
        """Ids that are answered together; answers depend only on the chunk.

        `first`: only the first so many samples.
        """

    @abstractmethod
    def answers(
        self, ids: Sequence[str], channels: Sequence[Channel], batch_size: int
    ) -> list[ModelAnswer]:
        """Scores and values of one chunk with these channels present."""

    def written(
        self,
        ids: Sequence[str],
        channels: Sequence[Channel] | None,
        task: str,
        max_new_tokens: int,
        batch_size: int,
        clues: bool = True,
    ) -> list[ModelAnswer]:
        """Text that answers the question of a task; `channels` None uses all channels.

        `clues`: whether prompts hold the clues in words that they usually do.
        """
        raise NotImplementedError("see Artefact.writes")

    @abstractmethod
    def given(self, sample_id: str) -> frozenset[Channel]:
        """The channels that a sample has for the model."""

    @property
    def clues_are_told(self) -> bool:
        """Whether the question for a reason holds clues in words, of some sample at least."""
        return False

    def checked(self, sample_id: str, written: str, label: str) -> CheckedReason:
        """A reason that explains the label, held against what was measured in the sample."""
        raise NotImplementedError("see Artefact.writes")

    def true_values(self, sample_id: str) -> np.ndarray:
        """The true quantities, like `ModelAnswer.values`; NaN where unknown."""
        raise NotImplementedError("see Artefact.values")

    @abstractmethod
    def subject(self) -> Subject:
        """The samples as a subject of explanations.

        Raises:
            EmollamaError: the model has no label scores to explain.
        """

    def gate_weights(self, row: int, noisy: str, level: float, seed: int) -> np.ndarray | None:
        """The gate's weights [M] of the model's inputs, with noise on one of them.

        Args:
            row: of `samples`.
            noisy: name of the noisy input.
            level: noise in deviations of its columns; 0 for none.
            seed: of the noise.

        Returns:
            None if the model has no gate, or the sample lacks an input.
        """
        return None


class Artefact(ABC):
    """An opened artefact: one folder with a complete trained model.

    Attributes:
        folder: its folder.
        family: the kind of model; for display only.
        title: the same in words.
        writes: whether it writes reasons and can chat.
        at_once: answers to write side by side; a step of 8 takes 1.3 times the CPU time of one.
        joining: whether an answer may begin while others are written.
    """

    folder: Path
    family: ClassVar[Family]
    title: ClassVar[str]
    writes: ClassVar[bool] = False
    at_once = 8
    joining = False

    @classmethod
    @abstractmethod
    def open(cls, folder: Path, dtype: str = "auto", quantise: Quantisation | None = None) -> Self:
        """Load it onto the accelerator, if there is one.

        Args:
            folder: of the artefact.
            dtype: precision of a language model.
            quantise: how a language model is held; None as in training.

        Raises:
            EmollamaError: a file is missing or corrupt, or does not fit.
        """

    @property
    @abstractmethod
    def labels(self) -> tuple[str, ...]:
        """Its label set; () if it predicts values only."""

    @property
    @abstractmethod
    def inputs(self) -> tuple[InputSpec, ...]:
        """What it reads."""

    @property
    def name(self) -> str:
        """Name of the model: of its hub repository, its folder, or the run that holds it.

        The artefacts that ship have names of their own.
        """
        if (pinned := pinned_name(self.folder)) is not None:
            return pinned.partition("@")[0]
        folder = self.folder.resolve()
        if (shipped := shipped_name(folder)) is not None:
            return shipped
        return folder.parent.name if folder.name == "model" else folder.name

    @cached_property
    def prior(self) -> PersonPrior | None:
        """What its training corpus says of people; None if no input is measured against them.

        Raises:
            EmollamaError: the file is missing or corrupt.
        """
        if not person_inputs(self.inputs):
            return None
        return read_prior(self.folder / PRIOR_FILE, face_inputs(self.inputs))

    @cached_property
    def familiarity(self) -> Familiarity | None:
        """How far clips lie from its training clips; None for an artefact without the file.

        Raises:
            EmollamaError: the file is corrupt.
        """
        path = self.folder / FAMILIARITY_FILE
        return read_familiarity(path) if path.is_file() else None

    @property
    def task(self) -> TaskKind:
        """What it predicts."""
        return "label"

    @property
    def values(self) -> tuple[str, ...]:
        """Names of the quantities that it predicts."""
        return ()

    @property
    def thresholds(self) -> Mapping[str, float]:
        """For several labels: the score from which each is answered."""
        return {}

    @property
    def taught_reasons(self) -> bool:
        """Whether it learned to give reasons; one that did not would write labels or worse.

        Of a model whose record does not say so, e.g. of released weights, it is taken for granted.
        """
        tasks = self.record.get("config", {}).get("tasks", {})
        return self.writes and tasks.get("reason", {}).get("share") != 0

    @property
    def reads_clues(self) -> bool:
        """Whether emotion questions include clues in words."""
        return False

    @property
    def reads_text(self) -> bool:
        """Whether it reads the subtitle besides its inputs."""
        return False

    @property
    def language_model(self) -> Path | None:
        """Folder of the frozen language model under it."""
        return None

    @property
    def record(self) -> dict[str, Any]:
        """The training record."""
        return read_record(self.folder)

    @property
    def card(self) -> str:
        """The model card; "" without one."""
        path = self.folder / CARD_FILE
        return read_text(path) if path.is_file() else ""

    @property
    def calibration(self) -> Calibration | None:
        """What `emollama calibrate` stored, as it is now; None without it.

        Raises:
            EmollamaError: it cannot be read, or is of other labels.
        """
        if not (self.folder / CALIBRATION_FILE).is_file():
            return None
        return read_calibration(self.folder, self.labels)

    def write_by(self, engine: str) -> None:
        """Let a vLLM server on this machine write the text.

        Raises:
            EmollamaError: the model writes none, or the server is another model's.
        """
        raise EmollamaError(
            f"{self.folder}: is {self.title}, which writes no text: leave the engine {engine} out"
        )

    def asking(self, corpus: str) -> Self:
        """Itself, with the question that the release of its weights asks on `corpus`.

        Most models ask the same on every corpus.
        """
        del corpus
        return self

    def knows_truth(self, sample: Sample, task: str) -> bool:
        """Whether a sample has a target for the model's answer."""
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
            manifest: their manifest.
            samples: to read.
            split: their split, for messages.
            store: the feature store.
            features: folder with `npy:` folders of the same names.

        Raises:
            EmollamaError: none of them can be read, or the features differ from those in training.
        """
