"""A fusion model as the subject of an explanation: it answers about partly hidden samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from emollama.base.errors import EmollamaError
from emollama.fusion.batch import FusionBatch
from emollama.fusion.configuration import FusionConfig
from emollama.fusion.data.data import STEPS_AT_ONCE
from emollama.fusion.data.raw_table import weight_of
from emollama.fusion.data.tokenizing import load_tokenizer, token_texts
from emollama.fusion.readout import answers
from emollama.fusion.trained import TrainedFusion
from emollama.fusion.weights import MAIN
from emollama.manifest.channels import CHANNELS
from emollama.runs.shapley import MOST_MODALITIES
from emollama.runs.subject import Modality, Steps, View


class FusionSubject:
    """See `Subject`.

    With more than four modalities, attribution is by channel: modalities of one channel are present
    or absent together.

    Args:
        model: the model.
        rows: each sample as a batch of one.
        texts: the subtitle of each; it names the steps of a track with one step per word. Steps of
            a raw text are its tokens.

    Raises:
        EmollamaError: the model predicts values, not labels.
    """

    def __init__(
        self,
        model: TrainedFusion,
        rows: Sequence[FusionBatch],
        texts: Sequence[str | None] = (),
    ) -> None:
        config = model.config
        if not config.goal.has_labels:
            raise EmollamaError(
                f"{model.folder}: predicts {', '.join(config.goal.values)}; "
                "explanations need a model that scores labels"
            )
        self.model = model
        self.config = config
        self.rows = list(rows)
        self.texts = list(texts) or [None] * len(self.rows)
        self.modalities = _modalities(config)
        self.tracks = tuple(config.names)
        self.labels = tuple(config.labels)
        self.several = config.goal.kind == "labels"
        self.tokenizers = {
            s.name: load_tokenizer(Path(s.source), f"modality '{s.name}'")
            for s in model.sections
            if s.kind == "tokens"
        }

    def steps(self, row: int) -> dict[str, Steps]:
        """The tracks of a sample, by name."""
        batch, text = self.rows[row], self.texts[row]
        found = {}
        for modality in self.modalities:
            for name in modality.tracks:
                valid = batch.valid[name][0]
                if not bool(valid.any()):
                    continue
                times = batch.times[name][0][valid].double().cpu().numpy()
                words: Sequence[str] = ()
                if name in self.tokenizers:
                    ids = batch.values[name][0][valid].tolist()
                    words = token_texts(self.tokenizers[name], ids)
                elif text and modality.channel == "words":
                    words = text.split()
                found[name] = Steps(
                    modality.name,
                    modality.channel,
                    times,
                    tuple(words) if len(words) == len(times) else (),
                )
        return found

    def present(self, row: int) -> frozenset[str]:
        """Names of the modalities of a sample."""
        return frozenset(s.modality for s in self.steps(row).values())

    def scores(self, views: Sequence[View]) -> np.ndarray:
        """Label scores float64 [n, K]; see `Subject.scores`."""
        weights = {s.name: weight_of(s) for s in self.config.sections}
        longest = max(
            (self.rows[v.row].valid[n].shape[1] * w for v in views for n, w in weights.items()),
            default=1,
        )
        size = max(1, min(512, int(STEPS_AT_ONCE // max(1, longest))))
        batches = [self._batch(views[at : at + size]) for at in range(0, len(views), size)]
        found = answers(self.config, self.model.answer, batches, self.model.device)
        assert found.labels is not None
        return found.labels

    @torch.no_grad()
    def maps(self, row: int) -> dict[str, np.ndarray]:
        """The system's own maps of a sample as it is, by name; see `FusionOutput.maps`."""
        model = self.model.models[MAIN]
        output = model(self.rows[row].to(model.device), explain=True)
        return {name: value[0].cpu().numpy() for name, value in (output.maps or {}).items()}

    def _batch(self, views: Sequence[View]) -> FusionBatch:
        """Collated views: hidden steps are removed and the others moved up, with their times.

        So a row's mask is one run from its first step, as for any recorded track.
        """
        parts: dict[str, tuple[Tensor, Tensor, Tensor]] = {}
        for modality in self.modalities:
            for name in modality.tracks:
                shown = [self._shown(view, modality, name) for view in views]
                lengths = torch.tensor([len(times) for _, times in shown])
                width = max(1, int(lengths.max()))
                parts[name] = (
                    _padded([values for values, _ in shown], width),
                    torch.arange(width) < lengths[:, None],
                    _padded([times for _, times in shown], width),
                )
        first = self.rows[views[0].row]
        return replace(
            first,
            ids=tuple(self.rows[v.row].ids[0] for v in views),
            values={n: parts[n][0] for n in self.config.names},
            valid={n: parts[n][1] for n in self.config.names},
            times={n: parts[n][2] for n in self.config.names},
            targets={},
            groups=(None,) * len(views),
            reset=None,
        )

    def _shown(self, view: View, modality: Modality, name: str) -> tuple[Tensor, Tensor]:
        """Values [l, ...] and times [l] of the visible part of a track."""
        batch = self.rows[view.row]
        kept = batch.valid[name][0].clone()
        if modality.name not in view.present:
            kept[:] = False
        elif name in view.hidden:
            places = kept.nonzero().flatten()
            kept[places[torch.from_numpy(np.asarray(view.hidden[name], bool))]] = False
        return batch.values[name][0][kept], batch.times[name][0][kept]


def _padded(parts: list[Tensor], width: int) -> Tensor:
    found = pad_sequence(parts, batch_first=True)
    if found.shape[1] == width:
        return found
    return found.new_zeros(len(parts), width, *found.shape[2:])


def _modalities(config: FusionConfig) -> tuple[Modality, ...]:
    sections = config.sections
    if len(sections) <= MOST_MODALITIES:
        return tuple(Modality(s.name, s.channel, (s.name,)) for s in sections)
    held = {c: tuple(s.name for s in sections if s.channel == c) for c in CHANNELS}
    return tuple(Modality(c, c, names) for c, names in held.items() if names)


def rows_of(batches: Sequence[FusionBatch]) -> list[FusionBatch]:
    """Every row of batches as a batch of one."""
    return [
        replace(
            batch,
            ids=(batch.ids[i],),
            values={k: v[i : i + 1] for k, v in batch.values.items()},
            valid={k: v[i : i + 1] for k, v in batch.valid.items()},
            times={k: v[i : i + 1] for k, v in batch.times.items()},
            targets={},
            groups=batch.groups[i : i + 1],
            reset=None,
        )
        for batch in batches
        for i in range(len(batch))
    ]
