"""Labels that were corrected in ELAN or Praat, as a manifest to train on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emollama.base.csv_rows import read_rows
from emollama.base.errors import EmollamaError
from emollama.corpora.report import PrepareReport
from emollama.corpora.tables.tiers import Interval, Timed, overlaps, read_tiers
from emollama.manifest.labels import LabelSet
from emollama.manifest.paths import path_in_manifest
from emollama.manifest.sample import Manifest, Sample, read_manifest, write_manifest
from emollama.recording.answering.samples import MANIFEST
from emollama.recording.parts import segment_id

ANSWERS = "segments.csv"
"""The table of an analysis from which is told how many labels were changed."""
_SAME = 0.002  # seconds; tiers are written in thousandths
_SHORTEST = (
    0.1  # seconds; less is a slip of the mouse, and two could not be told apart by their ids
)


@dataclass(frozen=True)
class _Recording:
    """An annotated file and the manifest of its analysis."""

    path: Path
    timed: Timed
    manifest: Manifest

    @property
    def name(self) -> str:
        """The recording's, in ids and speakers."""
        return self.manifest.samples[0].group or self.path.stem


def prepare_corrected(files: Sequence[Path], out: Path) -> PrepareReport:
    """Write a manifest of the labels on the tiers "A emotion" of annotated recordings.

    Each file lies in the folder of its analysis, beside `manifest.jsonl`. An interval as the
    analysis cut it keeps its sample's id. One that was moved, split or added is a sample with an id
    of its own start, seen as the segment of this person that it overlaps most; where there is none,
    a sample of sound alone. The text is that of the tier "A text" where it has the same interval,
    else the words on "A words" in it, else the text that overlaps most. An interval without a label
    is left out.

    Args:
        files: .eaf or .TextGrid, one a recording.
        out: the manifest.

    Raises:
        EmollamaError: a file or its manifest cannot be read, there is no such tier or no label, a
            label is not in the manifest's label set (naming file, tier and time), or the label sets
            or names of two recordings clash.
    """
    samples: dict[str, Sample] = {}
    notes: list[str] = []
    labels: LabelSet | None = None
    for path in files:
        one = _Recording(path, read_tiers(path), read_manifest(path.parent / MANIFEST))
        if out.resolve() == one.manifest.path.resolve():
            raise EmollamaError(f"--out {out}: is the manifest of the analysis; give another name")
        if labels is not None and labels.labels != one.manifest.labels.labels:
            raise EmollamaError(
                f"{one.manifest.path}: its labels are {', '.join(one.manifest.labels.labels)}, "
                f"those before {', '.join(labels.labels)}; recordings must be of one model"
            )
        labels = one.manifest.labels
        found, remarks = _corrected(one, out)
        for sample in found:
            if sample.id in samples:
                raise EmollamaError(f"{path}: id '{sample.id}' occurs twice; name each file once")
            samples[sample.id] = sample
        notes += remarks
    if labels is None or not samples:
        raise EmollamaError(f"{files[0] if files else out}: no interval has a label")
    chosen = sorted(samples.values(), key=lambda s: (s.group or "", s.start or 0.0, s.id))
    write_manifest(out, "recording", labels, chosen)
    return PrepareReport.of(out, chosen, {}, notes)


def _corrected(one: _Recording, out: Path) -> tuple[list[Sample], list[str]]:
    tiers = [name for name in one.timed.tiers if name.endswith(" emotion")]
    if not tiers:
        raise EmollamaError(
            f"{one.path}: has no tier that ends in ' emotion', as 'A emotion' does; its tiers: "
            f"{', '.join(one.timed.tiers) or 'none'}"
        )
    found, empty, alone = [], 0, 0
    for tier in tiers:
        person = tier.removesuffix(" emotion")
        own = [s for s in one.manifest.samples if s.speaker == f"{one.name}-{person}"]
        for interval in one.timed.tiers[tier]:
            if not interval.words:
                empty += 1
                continue
            where = f"{one.path}: tier '{tier}' at {interval.start:.2f} s"
            label = one.manifest.labels.require(interval.words, where)
            if interval.end - interval.start < _SHORTEST:
                raise EmollamaError(f"{where}: is shorter than {_SHORTEST:g} s")
            base = max(own, key=lambda s: _common(s, interval), default=None)
            if base is not None and _common(base, interval) <= 0:
                base = None
            alone += base is None
            found.append(_sample(one, person, interval, base, label, out))
    return found, [f"{one.path}: {note}" for note in _notes(one, found, empty, alone)]


def _common(sample: Sample, interval: Interval) -> float:
    """Seconds that both share; negative where they lie apart."""
    ends = min(sample.end or 0.0, interval.end), max(sample.start or 0.0, interval.start)
    return ends[0] - ends[1]


def _sample(
    one: _Recording, person: str, interval: Interval, base: Sample | None, label: str, out: Path
) -> Sample:
    changed: dict[str, object] = {}
    if base is None:
        any_ = one.manifest.samples[0]
        base = Sample(
            id=any_.id, audio=any_.audio or any_.video, speaker=f"{one.name}-{person}",
            group=any_.group,
        )  # fmt: skip
    for field in ("video", "audio"):
        media = getattr(base, field)
        if media is not None:
            changed[field] = path_in_manifest(one.manifest.media(media), out)
    ends = ((base.start, interval.start), (base.end, interval.end))
    same = all(was is not None and abs(was - now) < _SAME for was, now in ends)
    if not same:
        changed |= {
            "id": segment_id(one.name, person, interval.start),
            "start": interval.start,
            "end": interval.end,
        }
    text = _text(one.timed.tiers, person, interval)
    if text is None and not same and base.text is not None:
        text = ""  # words were looked for, and none is in this interval
    if text is not None:
        changed["text"] = text
    if text:
        changed["mute"] = False  # who has words is heard
    changed["targets"] = base.targets.model_copy(update={"emotion": label})
    return base.model_copy(update=changed)


def _text(tiers: Mapping[str, Sequence[Interval]], person: str, span: Interval) -> str | None:
    """What the person says in a span; None where no tier tells."""
    texts = tiers.get(f"{person} text", ())
    for one in texts:
        if abs(one.start - span.start) < _SAME and abs(one.end - span.end) < _SAME:
            return one.words
    words = tiers.get(f"{person} words", ())
    inside = [w.words for w in words if span.start <= (w.start + w.end) / 2 < span.end]
    if not words:
        inside = [one.words for one in texts if overlaps(one, span.start, span.end)]
    return " ".join(filter(None, inside)) or None


def _notes(one: _Recording, found: Sequence[Sample], empty: int, alone: int) -> Iterator[str]:
    table = one.path.parent / ANSWERS
    if table.is_file():
        answers = {row.get("id"): row.get("label") for row in read_rows(table, ("id", "label"))}
        changed = sum(answers.get(s.id) not in (None, s.targets.emotion) for s in found)
        new = sum(s.id not in answers for s in found)
        yield f"{changed} labels differ from the model's answers, {new} intervals are new"
    if empty:
        yield f"{empty} intervals without a label are left out"
    if alone:
        yield f"{alone} intervals overlap no segment of their person: sound alone"
