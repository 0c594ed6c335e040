"""The data card: sources, tools, counts and terms of a set."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from emollama.base.files import read_json, write_text
from emollama.media.languages import LANGUAGES
from emollama.merr.build import RECORD, Build
from emollama.merr.settings import ModelSection
from emollama.merr.stagefile import Row
from emollama.merr.tables import read_table
from emollama.runs.card import INTENDED_USE

CARD = "CARD.md"
_SOURCES = {
    "openface": "OpenFace's CSVs supplied with the clips",
    "mediapipe": "MediaPipe's face landmarker: blendshapes mapped to units by "
    "`tables/blendshapes.yaml`; no measured units in the strict sense",
    "expression": "**no action units**: the seven expressions of mini-XCEPTION (FER2013) on faces "
    "found by MTCNN are used for the face, and no unit is listed",
}


def is_span(clip: Row) -> bool:
    """Whether a clip, given its row of stage `clips`, is only a part of its file."""
    return "start" in clip or "end" in clip


@dataclass
class Contents:
    """Totals over the clips of a set.

    Attributes:
        seconds: total length.
        folder: common folder of all their files, relative to the set; None before the first.
        spans: number of clips that are spans of their files.
        splits, labels: number of clips by split and label.
    """

    seconds: float = 0.0
    folder: str | None = None
    spans: int = 0
    splits: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)

    def see(self, clip: Row, split: str, label: str) -> None:
        """Add a clip, given its row of stage `clips`."""
        self.seconds += clip["seconds"]
        self.spans += is_span(clip)
        self.splits[split] += 1
        self.labels[label] += 1
        for path in (clip[k] for k in ("video", "audio") if clip.get(k)):
            own = str(PurePath(path).parent)
            both = (own, self.folder) if self.folder is not None else (own,)
            same = len({PurePath(p).is_absolute() for p in both}) == 1
            self.folder = os.path.commonpath(both) or "." if same else "/"


def write_card(
    build: Build, exports: Mapping[str, int], about: Contents, notes: Sequence[str]
) -> None:
    """Write `CARD.md`, reproducible byte for byte."""
    settings = build.settings
    path = build.out / RECORD
    record = read_json(path) if path.is_file() else {}
    rules = read_table(settings.rules)
    labels, splits = about.labels, about.splits
    stages = "\n".join(
        f"| {name} | {counts['in']} | {counts['out']} | "
        + (", ".join(f"{n} {why}" for why, n in counts["rejected"].items()) or "none")
        + " |"
        for name, counts in record.items()
        if name != "export"  # its counts are the files', below
    )
    total = max(sum(labels.values()), 1)
    shares = "\n".join(
        f"| {label} | {n} | {n / total:.3f} |"
        for label, n in sorted(labels.items(), key=lambda x: (-x[1], x[0]))
    )
    backend = settings.faces.backend
    rate = settings.faces.per_second
    looked = "All frames" if backend == "openface" else f"{rate:g} frames a second"
    intensities = (
        "relative to the person's mean where a person has four clips, else to the corpus"
        if settings.faces.relative else "absolute"
    )  # fmt: skip
    heeded = "" if settings.evidence.features is None else (
        "; then half of it and what a regression on features expects by the clips of other people"
    )  # fmt: skip
    judged = (
        "a class of expressions gives the label of its name"
        if backend == "expression" else f"rules `{PurePath(settings.rules).name}`, below"
    )  # fmt: skip
    files = "\n".join(f"| `{name}` | {n} |" for name, n in exports.items())
    files += "".join(f"\n\n{note[0].upper()}{note[1:]}." for note in notes)
    write_text(build.out / CARD, f"""# Data card

A set of clips with emotion labels and reasons in the manner of MERR (Cheng et al. 2024), annotated
by machines. **No person has checked a label.**

## Source and terms

{labels.total()} clips, {about.seconds:.0f} s in all, of files below `{about.folder}` (from here;
`manifest.jsonl` names each clip's own).

Terms of the source media, as stated by who built the set: {settings.source_terms}.
They hold for the set and for what is trained on it. RAVDESS, MERR, MER2023 and most film corpora
are for non-commercial research only.

## How it was annotated

- Face: {_SOURCES[backend]}.
- {looked}, intensities {intensities}.
- From face to emotion: {judged}.
- Voice: prosody measured from the signal, relative to the speaker's mean where a speaker has
  four clips, else to the corpus.
- Words: {_transcripts(build)}.
- Label: the weighted sum of log-probabilities; face {settings.evidence.face:g}, voice
  {settings.evidence.voice:g}, words {settings.evidence.words:g}{heeded}.
- Peak frame described by {_who(settings.visual)}.
- Voice described by {_who(settings.tone)}.
- Reasons by {_who(settings.refine)}.
  Each was checked against the measured clues; reasons that contradict them are not in the
  set, and their clips keep the coarse caption.

Raw answers of models are kept in `answers/` under the hash of their prompt.

### Rules

{_rules(build, rules)}

### Prompts

{_prompts(build)}

## Counts

| stage | in | out | left out |
|---|---|---|---|
{stages}

| label | clips | share |
|---|---|---|
{shares}

Splits: {", ".join(f"{name} {n}" for name, n in sorted(splits.items()))}.

| file | entries |
|---|---|
{files}

## Known limits

Labels follow rules and small models; where a rule is wrong for a face, so is the label, and a model
trained on the set learns the rules' mistakes. See `report/report.md` for how far face, voice, words
and label agree.

{INTENDED_USE}
## Settings

```json
{json.dumps(settings.to_dict(), indent=1, sort_keys=True)}
```
""")  # fmt: skip


def _who(section: ModelSection) -> str:
    if section.kind == "template":
        return "a template from measured clues"
    return f"`{section.model}` ({section.kind})"


def _transcripts(build: Build) -> str:
    section = build.settings.transcript
    spoken = f" in {LANGUAGES[section.language]}" if section.language else ""
    whisper = f"transcribed{spoken} by {section.chosen.title}, where there is speech"
    return {
        "auto": f"supplied with the clips if available, else {whisper}",
        "whisper": whisper,
        "given": "supplied with the clips if available",
        "none": "none",
    }[section.source]


def _rules(build: Build, rules: Mapping[str, Any]) -> str:
    if build.settings.faces.backend == "expression":
        return "None was applied: no unit was measured."
    lines = "\n".join(
        f"- {emotion}: {', '.join(f'{unit} {weight:g}' for unit, weight in units.items())}"
        for emotion, units in rules["emotions"].items()
    )
    return f"{rules['about']}. Numbers are the weights of the units in a rule.\n\n{lines}"


def _prompts(build: Build) -> str:
    """The exact prompts of the models; templates if there were none."""
    settings, prompts = build.settings, read_table("prompts")
    asked: dict[str, str] = {}
    for name in ("visual", "tone", "refine"):
        section: ModelSection = getattr(settings, name)
        if section.kind == "endpoint":
            asked[name] = f"{prompts[name]['system'].strip()}\n\n{prompts[name]['user'].strip()}"
        elif section.kind == "local":
            asked[name] = f"{prompts[name]['local'].strip()}\n\n{prompts[name]['start'].strip()}"
    if not asked:
        return "No model was used; templates compose the texts from measured clues."
    return "\n\n".join(f"`{name}`:\n\n```text\n{text}\n```" for name, text in asked.items())
