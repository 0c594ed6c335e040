"""Stage `report`: the quality of the set, as JSON, Markdown and a page with the worst clips."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

from emollama.base.files import read_json, write_json, write_text
from emollama.endpoints.answers import write_ledger
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Manifest
from emollama.media.clip import MediaError
from emollama.media.cutting import Box
from emollama.merr.build import RECORD, Build, Item
from emollama.merr.caption import CAPTION
from emollama.merr.describe import TONE
from emollama.merr.emotion import EMOTION
from emollama.merr.measure.frames import peak_image
from emollama.merr.measure.tools import CLIPS, TRANSCRIPT
from emollama.merr.peak import PEAK
from emollama.merr.quality.against import compare
from emollama.merr.quality.measures import MeasuredClip, agreement, diversity, faithfulness, worst
from emollama.merr.quality.page import markdown, page
from emollama.merr.quality.verdict import verdict
from emollama.merr.refine import REFINE, evidence_of
from emollama.merr.select import SELECT

REPORT = "report"
MOST_CLIPS = 20_000
"""Largest number of clips for the text measures; of more, those with the lowest hashes."""


def run_report(build: Build, truth: Manifest | None = None) -> dict[str, Any]:
    """Write `report/report.json`, `.md` and `.html`.

    Args:
        build: the folder; at least stage `caption` has been run.
        truth: a manifest with the clips' true labels, or more (the probe corpus).

    Returns:
        The content of the JSON.
    """
    if not build.first:
        return {}
    labels = get_label_set(build.settings.labels)
    clips, total = _clips(build)
    sections = {n: getattr(build.settings, n) for n in ("visual", "tone", "refine")}
    prices = {name: (section.price_in, section.price_out) for name, section in sections.items()}
    path = build.out / RECORD
    refined: Counter[str] = Counter()
    for item in build.items(CAPTION, optional=(REFINE,)):
        row = item.rows.get(REFINE)
        if row is not None:
            refined["accepted" if row["status"] == "ok" else str(row["reason"])] += 1
    selected: Counter[str] = Counter()
    for row in build.file(SELECT).rows():
        selected["kept" if row["status"] == "ok" else str(row["reason"])] += 1
    attempted = sum(refined.values())
    report: dict[str, Any] = {
        "clips described": total,
        "clips measured here": len(clips),
        "faces by": build.settings.faces.backend,
        "labels": dict(sorted(Counter(c.label for c in clips).items())),
        "pseudo-labels of the face": dict(
            sorted(Counter(str(c.channels["face"]) for c in clips).items())
        ),
        "agreement": agreement(clips),
        "faithfulness": faithfulness(clips, build.settings.seed),
        "refinement": {
            "asked": attempted,
            "outcomes": dict(sorted(refined.items())),
            "rejected": round(1 - refined["accepted"] / attempted, 4) if attempted else None,
        },
        "diversity of reasons": diversity([c.reason for c in clips]),
        "diversity of captions": diversity([c.caption for c in clips]),
        "selection": dict(sorted(selected.items())),
        "stages": read_json(path) if path.is_file() else {},
        "ledger": write_ledger(build.out, prices),
    }
    if truth is not None:
        report["against the truth"] = compare(build, truth)
    report = {"may one train on this": verdict(report), **report}
    bad = worst(clips, labels)
    report["worst"] = [{k: v for k, v in row.items() if k != "picture"} for row in bad]
    folder = build.out / REPORT
    write_json(folder / "report.json", report)
    write_text(folder / "report.md", markdown(report))
    pictures = {str(row["id"]): _picture(build, row["picture"]) for row in bad}
    write_text(folder / "report.html", page(report, pictures))
    build.echo(f"report: {folder / 'report.html'}")
    for line in report["may one train on this"]:
        build.echo(line)
    return report


def _clips(build: Build) -> tuple[list[MeasuredClip], int]:
    """The clips for the measures, in order, and the total number."""
    total = sum(1 for _ in build.items(CLIPS, CAPTION))
    chosen: set[str] | None = None
    if total > MOST_CLIPS:
        ids = (item.id for item in build.items(CLIPS, CAPTION))
        chosen = set(sorted(ids, key=_hash)[:MOST_CLIPS])
    return list(_told(build, chosen)), total


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _told(build: Build, chosen: set[str] | None) -> Iterator[MeasuredClip]:
    reads = (CLIPS, TRANSCRIPT, EMOTION, PEAK, TONE, CAPTION)
    for item in build.items(*reads, optional=(REFINE,)):
        if chosen is None or item.id in chosen:
            yield _one(item)


def _one(item: Item) -> MeasuredClip:
    emotion, clip = item.rows[EMOTION], item.rows[CLIPS]
    refined = item.rows.get(REFINE)
    accepted = refined is not None and refined["status"] == "ok"
    time = (clip.get("start") or 0.0) + item.rows[PEAK]["time"]
    return MeasuredClip(
        id=item.id,
        label=emotion["label"],
        channels=emotion["channels"],
        confidence=emotion["confidence"],
        known=evidence_of(emotion, item.rows[PEAK], item.rows[TONE], item.rows[TRANSCRIPT]),
        reason=refined["text"] if refined is not None and accepted else "",
        caption=item.rows[CAPTION]["text"],
        rejected="" if refined is None or accepted else str(refined["reason"]),
        video=(clip["video"], time, clip.get("view")) if clip.get("video") else None,
    )


def _picture(build: Build, where: tuple[str, float, Box | None] | None) -> bytes | None:
    """A small JPEG of a clip's peak frame; None if it is no longer available."""
    if where is None:
        return None
    from io import BytesIO

    from PIL import Image

    try:
        image = peak_image(build.media(where[0]), *where[1:], max_side=240)
    except MediaError:
        return None
    out = BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=85)
    return out.getvalue()
