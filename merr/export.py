"""What a build gives: MERR's coarse and fine files, our manifest, ShareGPT, a data card.

All files are written clip by clip, so 100,000 clips are never in memory.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from emollama.errors import EmollamaError
from emollama.files import atomic_path, write_json, write_jsonl
from emollama.labels import get_label_set
from emollama.llm.instructions import instruction
from emollama.sample import MANIFEST_VERSION, Sample, Targets
from merr.build import Build, Item
from merr.caption import CAPTION
from merr.card import write_card
from merr.describe import TONE, VISUAL
from merr.emotion import EMOTION
from merr.measure.names import EXPRESSION_PREFIX
from merr.measure.tools import CLIPS, TRANSCRIPT
from merr.peak import PEAK
from merr.phrases import sign_phrase
from merr.refine import REFINE
from merr.select import SELECT
from merr.stagefile import Row

EXPORT = "export"
CORPUS = "built"
MANIFEST = "manifest.jsonl"
_READS = (CLIPS, TRANSCRIPT, EMOTION, PEAK, VISUAL, TONE, CAPTION, SELECT)


def run_export(build: Build) -> dict[str, int]:
    """Write all exports into the build's folder; returns how many entries each has.

    Raises:
        EmollamaError: no clip is left to export.
    """
    if not build.first:
        build.ranks.barrier()
        return {}
    counts = {
        "MERR_coarse_grained": _merr(build, "coarse", lambda item: True, _coarse),
        "MERR_fine_grained": _merr(build, "fine", _is_fine, _fine),
        "manifest": _manifest(build),
        "sharegpt": _sharegpt(build),
    }
    if not counts["manifest"]:
        raise EmollamaError(f"{build.out}: no clip is left after stage 'select'; see record.json")
    splits: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    for item in _kept(build):
        splits[item.rows[SELECT]["split"]] += 1
        labels[item.rows[EMOTION]["label"]] += 1
    write_card(build, counts, splits, labels)
    build.echo(f"export: {', '.join(f'{n} in {name}' for name, n in counts.items())}")
    build.ranks.barrier()
    return counts


def _kept(build: Build) -> Iterator[Item]:
    return build.items(*_READS, optional=(REFINE,))


def _is_fine(item: Item) -> bool:
    return bool(item.rows[SELECT]["kind"] == "fine")


def entry(item: Item) -> dict[str, Any]:
    """What MERR's coarse and fine entries share, under the released keys."""
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
    build: Build, part: str, wanted: Callable[[Item], bool], make: Callable[[Item], Row]
) -> int:
    """`MERR_<part>_grained.json` and the list beside it: name, frames, emotion, -10."""
    stem = build.out / f"MERR_{part}_grained"
    lines: list[str] = []

    def entries() -> Iterator[tuple[str, Any]]:
        for item in _kept(build):
            if wanted(item):
                frames = item.rows[CLIPS]["pictures"]
                lines.append(f"{_listed_name(item.id)} {frames} {item.rows[EMOTION]['label']} -10")
                yield item.id, make(item)

    count = _write_object(stem.with_suffix(".json"), entries())
    with atomic_path(stem.with_suffix(".txt")) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return count


def _listed_name(name: str) -> str:
    if len(name.split()) != 1:
        raise EmollamaError(
            f"'{name}': MERR's list separates its columns by blanks, so no clip's name may hold "
            "one; rename the file"
        )
    return name


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


def sample_of(item: Item) -> Sample:
    """A clip as a sample to train on: its reason where it has one, else its coarse caption."""
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
        text=item.rows[TRANSCRIPT]["text"] or None,
        speaker=clip.get("speaker"),
        split=item.rows[SELECT]["split"],
        targets=Targets(emotion=emotion["label"], reason=reason),
        clues=clues,
        truth={"units": found["AU_list"], "peak_units": found["peak_AU_list"],
               "peak": peak["frame"], "peak_time": peak["time"], "tone": tone["words"],
               "channels": emotion["channels"], "grain": item.rows[SELECT]["kind"]},
    )  # fmt: skip


def _manifest(build: Build) -> int:
    """Our manifest; what stands in it can be trained on at once."""
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


def _sharegpt(build: Build) -> int:
    """`sharegpt.json` and `dataset_info.json`, as LLaMA-Factory reads them."""
    labels = get_label_set(build.settings.labels)
    path, count = build.out / "sharegpt.json", 0
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as out:
        out.write("[")
        for item in _kept(build):
            sample = sample_of(item)
            tag = "<video>" if sample.video else "<audio>"
            said = f'The person says: "{sample.text}" ' if sample.text else ""
            for task, answer in (("emotion", sample.targets.emotion),
                                 ("reason", sample.targets.reason)):  # fmt: skip
                question = instruction(task, labels)
                row = {
                    "id": f"{sample.id}:{task}",
                    "messages": [
                        {"role": "user", "content": f"{tag}{said}{question}"},
                        {"role": "assistant", "content": answer},
                    ],
                    ("videos" if sample.video else "audios"): [sample.video or sample.audio],
                }
                out.write((",\n" if count else "\n") + json.dumps(row, ensure_ascii=False))
                count += 1
        out.write("\n]\n")
    write_json(build.out / "dataset_info.json", {
        "merr_built": {
            "file_name": path.name,
            "formatting": "sharegpt",
            "columns": {"messages": "messages", "videos": "videos"},
            "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user",
                     "assistant_tag": "assistant"},
        }
    })  # fmt: skip
    return count
