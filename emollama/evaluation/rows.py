"""From a model's answer to a row of the predictions file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emollama.base.errors import EmollamaError
from emollama.fusion.data.targets import shown_labels
from emollama.manifest.channels import Channel
from emollama.manifest.labels import LabelSet
from emollama.manifest.sample import Sample
from emollama.runs.artefact import Artefact, LoadedSamples, ModelAnswer
from emollama.scoring.metrics.thresholds import THRESHOLD
from emollama.scoring.predictions.checks import NO_WORDS
from emollama.scoring.predictions.parsing import Parsed, parse_set
from emollama.scoring.predictions.prediction import Prediction, Quantity, channel_truth, twin_of

Parser = Callable[[str, LabelSet], Parsed]


@dataclass(frozen=True)
class RowMaker:
    """Makes predictions of one model on one corpus.

    Args:
        model: the model.
        labels: the corpus's label set; answers are limited to it.
        loaded: the samples, for their true values.
        parser: reads a label from a text.

    Raises:
        EmollamaError: the corpus has a label that the model does not know.
    """

    model: Artefact
    labels: LabelSet
    loaded: LoadedSamples
    parser: Parser
    where: tuple[str, str] = ("the model", "the manifest")
    """Names of model and manifest, for messages."""

    def __post_init__(self) -> None:
        require_known_labels(self.model, self.labels, self.where)

    def row(
        self,
        sample: Sample,
        channels: Sequence[Channel],
        answer: ModelAnswer,
        more: Mapping[str, Any],
    ) -> Prediction:
        """The prediction from an answer with these channels; `more` are further fields."""
        fields = dict(more)
        if answer.text is not None:
            found = self.parser(answer.text, self.labels)
            return self.labelled(sample, channels, found, {**fields, "answer": answer.text})
        if answer.values is not None:
            fields |= self._quantities(sample, answer)
        if answer.scores is not None:
            scores = answer.scores[[self.model.labels.index(x) for x in self.labels.labels]]
            if self.model.task != "labels":
                shares = (scores / scores.sum()).tolist()
                return Prediction.scored(sample, self.labels, shares, channels, **fields)
            fields |= self._several(sample, scores)
        return self._bare(sample, channels, fields)

    def labelled(
        self, sample: Sample, channels: Sequence[Channel], found: Parsed, more: Mapping[str, Any]
    ) -> Prediction:
        """The prediction whose label was parsed from a text."""
        fields = {
            "reference": sample.targets.emotion,
            "reference_votes": sample.targets.shares(),
            "label": found.label,
            "parse_failure": found.failure,
            "reference_reason": sample.targets.reason if "reason" in more else None,
        }
        return self._bare(sample, channels, {**fields, **more})

    def worded(
        self, sample: Sample, channels: Sequence[Channel], text: str, more: Mapping[str, Any]
    ) -> Prediction:
        """The prediction of a text that lists words; an empty list is a failure."""
        words = parse_set(text)
        fields = {
            "answer": text,
            "words": words,
            "reference_words": sample.targets.words,
            "parse_failure": None if words else NO_WORDS,
        }
        return self._bare(sample, channels, {**fields, **more})

    def _bare(
        self, sample: Sample, channels: Sequence[Channel], fields: Mapping[str, Any]
    ) -> Prediction:
        return Prediction(
            id=sample.id,
            channels=tuple(channels),
            truth=channel_truth(sample, self.labels),
            group=sample.group,
            **{**twin_of(sample), **fields},
        )

    def _several(self, sample: Sample, scores: np.ndarray) -> dict[str, Any]:
        """Every label with its score; those that reach their threshold are the answer."""
        names = self.labels.labels
        limits = {x: self.model.thresholds.get(x, THRESHOLD) for x in names}
        truth = shown_labels(sample, self.labels)
        known = truth is not None and set(truth) == set(names)
        # Compared before rounding: the threshold is a score that occurred.
        return {
            "labels": tuple(x for x, p in zip(names, scores, strict=True) if p >= limits[x]),
            "label_scores": {x: float(f"{p:.5g}") for x, p in zip(names, scores, strict=True)},
            "reference_labels": tuple(x for x in names if truth[x]) if truth and known else None,
        }

    def _quantities(self, sample: Sample, answer: ModelAnswer) -> dict[str, Any]:
        """Answered and true quantities; for frames, the annotated ones (all if there are none)."""
        names, values, times = self.model.values, answer.values, answer.times
        assert values is not None
        if times is None:
            return {
                "values": {n: float(x) for n, x in zip(names, values, strict=True)},
                "reference_values": true_values(self.model, self.loaded, sample),
            }
        truth = self.loaded.true_values(sample.id)
        told = ~np.isnan(truth).any(1)
        fields: dict[str, Any] = {}
        if told.any():
            values, times = values[told], times[told]
            fields["reference_values"] = values_over_time(names, truth[told])
        # What is present decides whether there is an answer, never which frames are scored.
        if len(values) and not np.isnan(values).any():
            fields["times"] = tuple(round(float(t), 4) for t in times)
            fields["values"] = values_over_time(names, values)
        return fields


def require_known_labels(model: Artefact, labels: LabelSet, where: tuple[str, str]) -> None:
    """Raise an error for a corpus with a label that the model does not know.

    `where` are the names of model and manifest.
    """
    trained, asked = model.labels, labels.labels
    if trained and not set(asked) <= set(trained):
        raise EmollamaError(
            f"{where[0]}: was trained on the labels {', '.join(trained)}, but {where[1]} has "
            f"{', '.join(asked)}; data.map can translate them"
        )


def true_values(
    model: Artefact, loaded: LoadedSamples, sample: Sample
) -> dict[str, Quantity] | None:
    """The known true values of the quantities that a model predicts for a clip."""
    if not model.values:
        return None
    truth = loaded.true_values(sample.id)
    known = {n: float(x) for n, x in zip(model.values, truth, strict=True) if not np.isnan(x)}
    return dict(known) or None


def values_over_time(names: Sequence[str], columns: np.ndarray) -> dict[str, Quantity]:
    """Values over time [L, K] by name, to six significant digits: a float32 holds no more."""
    return {
        name: tuple(float(f"{x:.6g}") for x in columns[:, k].tolist())
        for k, name in enumerate(names)
    }
