"""The data card: what a set was made of, by what, how many clips went where, and on what terms."""

from __future__ import annotations

import json
from collections.abc import Mapping

from emollama.files import read_json, write_text
from emollama.training.card import INTENDED_USE
from merr.build import RECORD, Build
from merr.settings import ModelSection
from merr.tables import read_table

CARD = "CARD.md"
_SOURCES = {
    "openface": "OpenFace's CSVs that came with the clips",
    "mediapipe": "MediaPipe's face landmarker: blendshapes mapped to units by "
    "`tables/blendshapes.yaml`; no measured units in the strict sense",
    "expression": "**no action units**: the seven expressions of mini-XCEPTION (FER2013) on faces "
    "found by MTCNN stand for the face, and no unit is listed",
}


def write_card(
    build: Build, exports: Mapping[str, int], splits: Mapping[str, int], labels: Mapping[str, int]
) -> None:
    """Write `CARD.md`; the same build gives the same bytes."""
    settings = build.settings
    path = build.out / RECORD
    record = read_json(path) if path.is_file() else {}
    rules = read_table(settings.rules)
    stages = "\n".join(
        f"| {name} | {counts['in']} | {counts['out']} | "
        + (", ".join(f"{n} {why}" for why, n in counts["rejected"].items()) or "none")
        + " |"
        for name, counts in record.items()
    )
    total = max(sum(labels.values()), 1)
    shares = "\n".join(
        f"| {label} | {n} | {n / total:.3f} |"
        for label, n in sorted(labels.items(), key=lambda x: (-x[1], x[0]))
    )
    files = "\n".join(f"| `{name}` | {n} |" for name, n in exports.items())
    write_text(build.out / CARD, f"""# Data card

A set of clips with emotion labels and reasons in the manner of MERR (Cheng et al. 2024), annotated
by machines. **No person has checked a label.**

## Source and terms

Terms of the source media, as stated by who built the set: {settings.source_terms}. They hold for
the set and for what is trained on it. RAVDESS, MERR, MER2023 and most film corpora are for
non-commercial research only.

## How it was annotated

- Face: {_SOURCES[settings.faces.backend]}; {settings.faces.per_second:g} frames a second (OpenFace:
  all), intensities {"relative to the corpus" if settings.faces.relative else "absolute"}.
- Rules from face to emotion: `{settings.rules}` ({rules["about"]}).
- Voice: prosody measured from the signal, told against the speaker's mean where a speaker has four
  clips, else against the corpus.
- Words: {_transcripts(build)}.
- Label: the weighted sum of log-probabilities of face {settings.evidence.face:g}, voice
  {settings.evidence.voice:g}, words {settings.evidence.words:g}.
- Peak frame described by {_who(settings.visual)}, the voice by {_who(settings.tone)}.
- Reasons by {_who(settings.refine)}; each was held against the measured clues, and those that
  contradict them are not in the set (their clips keep the coarse caption).

Prompts and templates are `merr/tables/prompts.yaml` and `templates.yaml`; raw answers are kept in
`answers/` under the hash of their prompt.

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
{json.dumps(settings.told(), indent=1, sort_keys=True)}
```
""")  # fmt: skip


def _who(section: ModelSection) -> str:
    if section.kind == "template":
        return "a template from measured clues"
    return f"`{section.model}` ({section.kind})"


def _transcripts(build: Build) -> str:
    section = build.settings.transcript
    whisper = f"transcribed by {section.whisper}, where somebody speaks"
    return {
        "auto": f"given with the clips where there are any, else {whisper}",
        "whisper": whisper,
        "given": "given with the clips where there are any",
        "none": "none",
    }[section.source]
