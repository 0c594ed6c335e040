"""Exports of a build: MERR's coarse and fine files, our manifest, ShareGPT, a data card.

All files are written clip by clip, so 100,000 clips are never in memory.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from emollama.base.errors import EmollamaError
from emollama.base.files import atomic_path, write_jsonl
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import MANIFEST_VERSION, Sample, Targets
from emollama.merr.build import Build, Counts, Item
from emollama.merr.caption import CAPTION
from emollama.merr.card import Contents, is_span, write_card
from emollama.merr.describe import TONE, VISUAL
from emollama.merr.emotion import EMOTION
from emollama.merr.measure.names import EXPRESSION_PREFIX
from emollama.merr.measure.tools import CLIPS, TRANSCRIPT
from emollama.merr.peak import PEAK
from emollama.merr.phrases import sign_phrase
from emollama.merr.refine import REFINE
from emollama.merr.select import SELECT
from emollama.merr.sharegpt import write_conversations
from emollama.merr.stagefile import Row

EXPORT = "export"
CORPUS = "built"
MANIFEST = "manifest.jsonl"
_READS = (CLIPS, TRANSCRIPT, EMOTION, PEAK, VISUAL, TONE, CAPTION, SELECT)


def run_export(build: Build) -> dict[str, int]:
    """Write all exports into the build's folder; returns the number of entries of each.

    Raises:
        EmollamaError: no clip is left to export.
    """
    if not build.first:
        build.ranks.barrier()
        return {}
    notes: list[str] = []
    counts = {
        "MERR_coarse_grained": _merr(build, "coarse", lambda item: True, _coarse, notes),
        "MERR_fine_grained": _merr(build, "fine", _is_fine, _fine, notes),
        "manifest": _manifest(build),
    }
    if not counts["manifest"]:
        raise EmollamaError(f"{build.out}: no clip is left after stage 'select'; see record.json")
    labels = get_label_set(build.settings.labels)
    counts |= write_conversations(build.out, lambda: _samples(build), labels)
    about = Contents()
    for item in _kept(build):
        about.see(item.rows[CLIPS], item.rows[SELECT]["split"], item.rows[EMOTION]["label"])
    if about.spans:
        told = "1 clip is a span" if about.spans == 1 else f"{about.spans} clips are spans"
        notes.append(f"{told} of a file, which ShareGPT cannot express: left out of it")
    write_card(build, counts, about, notes)
    every = counts["manifest"]
    build.note(EXPORT, Counts(every, every, facts={"entries": counts, "notes": notes}))
    build.echo(f"export: {', '.join(f'{n} in {name}' for name, n in counts.items())}")
    for note in notes:
        build.echo(f"note: {note}")
    build.ranks.barrier()
    return counts


def _kept(build: Build) -> Iterator[Item]:
    return build.items(*_READS, optional=(REFINE,))


def _is_fine(item: Item) -> bool:
    return bool(item.rows[SELECT]["kind"] == "fine")


def entry(item: Item) -> dict[str, Any]:
    """Fields shared by MERR's coarse and fine entries, under the released keys."""
    emotion, peak, tone = (item.rows[name] for name in (EMOTION, PEAK, TONE))
    units = [s for s in emotion["signs"] if not s.startswith(EXPRESSION_PREFIX)]
    return {
        "AU_list": units,
        "visual_prior_list": [sign_phrase(sign) for sign in emotion["signs"]],
        "audio_prior_list": tone["text"],
        "peak_index": str(peak["frame"]),
        "peak_AU_list": [s for s in peak["signs"] if not s.startswith(EXPRESSION_PREFIX)],
        "pseu_emotion": emotion["label"],
    }


def _coarse(item: Item) -> dict[str, Any]:
    return {**entry(item), "caption": item.rows[CAPTION]["text"]}


def _fine(item: Item) -> dict[str, Any]:
    return {**entry(item), "text": item.rows[TRANSCRIPT]["text"],
            "smp_reason_caption": item.rows[REFINE]["text"]}  # fmt: skip


def _merr(
    build: Build,
    part: str,
    wanted: Callable[[Item], bool],
    make: Callable[[Item], Row],
    notes: list[str],
) -> int:
    """`MERR_<part>_grained.json` and the list beside it: name, frames, emotion, -10.

    The list separates its columns by blanks, so clips with a blank in their name are left out of
    it.
    """
    stem = build.out / f"MERR_{part}_grained"
    lines: list[str] = []
    blank: list[str] = []

    def entries() -> Iterator[tuple[str, Any]]:
        for item in _kept(build):
            if wanted(item):
                yield item.id, make(item)
                if len(item.id.split()) != 1:
                    blank.append(item.id)
                    continue
                frames = item.rows[CLIPS]["pictures"]
                lines.append(f"{item.id} {frames} {item.rows[EMOTION]['label']} -10")

    count = _write_object(stem.with_suffix(".json"), entries())
    with atomic_path(stem.with_suffix(".txt")) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    if blank:
        notes.append(
            f"{stem.name}.txt separates its columns by blanks: '{blank[0]}'"
            + (f" and {len(blank) - 1} more clips" if len(blank) > 1 else "")
            + " with a blank in the name are in the JSON only"
        )
    return count


def _write_object(path: Path, entries: Iterable[tuple[str, Any]]) -> int:
    """A JSON object of many keys, written key by key."""
    count = 0
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as out:
        out.write("{")
        for name, value in entries:
            out.write(",\n" if count else "\n")
            body = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1)
            out.write(f"{json.dumps(name, ensure_ascii=False)}: {body}")
            count += 1
        out.write("\n}\n")
    return count


def votes(total: Mapping[str, float]) -> dict[str, float]:
    """How sure the label is: the probability of each label that has one of a hundredth or more."""
    shares = {label: round(math.exp(value), 3) for label, value in total.items()}
    return {label: share for label, share in shares.items() if share >= 0.01}


def sample_of(item: Item) -> Sample:
    """A clip as a training sample: its reason if it has one, else its coarse caption."""
    clip, emotion, peak, tone = (item.rows[n] for n in (CLIPS, EMOTION, PEAK, TONE))
    found = entry(item)
    reason = item.rows[REFINE]["text"] if _is_fine(item) else item.rows[CAPTION]["text"]
    clues: dict[Literal["voice", "face"], str] = {}
    if tone["text"]:
        clues["voice"] = ", ".join(tone["words"]) or "ordinary tone"
    if found["visual_prior_list"]:
        clues["face"] = ", ".join(found["visual_prior_list"])
    return Sample(
        id=item.id,
        video=clip.get("video"),
        audio=clip.get("audio"),
        start=clip.get("start"),
        end=clip.get("end"),
        view=clip.get("view"),
        mute=clip.get("mute", False),
        text=item.rows[TRANSCRIPT]["text"] or None,
        speaker=clip.get("speaker"),
        split=item.rows[SELECT]["split"],
        targets=Targets(emotion=emotion["label"], reason=reason, votes=votes(emotion["total"])),
        clues=clues,
        truth={"units": found["AU_list"], "peak_units": found["peak_AU_list"],
               "peak": peak["frame"], "peak_time": peak["time"], "tone": tone["words"],
               "channels": emotion["channels"], "grain": item.rows[SELECT]["kind"]},
    )  # fmt: skip


def _manifest(build: Build) -> int:
    """Our manifest, ready for training."""
    labels = get_label_set(build.settings.labels)
    count = 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal count
        header = {"version": MANIFEST_VERSION, "corpus": CORPUS, "labels": labels.to_dict()}
        yield {"manifest": header}
        for item in _kept(build):
            count += 1
            yield sample_of(item).model_dump(mode="json", exclude_defaults=True)

    write_jsonl(build.out / MANIFEST, rows())
    return count


def _samples(build: Build) -> Iterator[Sample]:
    """Samples for conversations."""
    for item in _kept(build):
        if not is_span(item.rows[CLIPS]):
            yield sample_of(item)
