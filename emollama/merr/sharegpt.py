"""Conversations in the ShareGPT format for LLaMA-Factory.

LLaMA-Factory trains on whole data sets, counts `<video>`, `<audio>` and `<image>` anywhere in a
conversation, and needs as many files. So each split is a separate data set, and placeholders in a
clip's words are removed. Spans of files cannot be expressed.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from emollama.base.files import atomic_path, write_json
from emollama.llm.instructions import instruction
from emollama.manifest.labels import LabelSet
from emollama.manifest.sample import Sample

NAME, FILE = "merr_built", "sharegpt"
_PLACEHOLDER = re.compile(r"<(video|audio|image)>", re.IGNORECASE)
_TAGS = {"role_tag": "role", "content_tag": "content", "user_tag": "user",
         "assistant_tag": "assistant"}  # fmt: skip


def write_conversations(
    out: Path, samples: Callable[[], Iterable[Sample]], labels: LabelSet
) -> dict[str, int]:
    """Write `sharegpt.json` (train), `sharegpt_<split>.json` and `dataset_info.json`.

    Args:
        out: folder; paths in the files are relative to it.
        samples: iterates over samples with an emotion and a reason; called twice.
        labels: the possible emotions.

    Returns:
        Number of conversations of each file, by its name without the suffix; two per clip.
    """
    kinds: dict[str, set[str]] = {}
    for sample in samples():
        kinds.setdefault(sample.split or "train", set()).add(_medium(sample)[0])
    names = {split: _named(FILE, split) for split in sorted(kinds, key=lambda s: (s != "train", s))}
    counts: Counter[str] = Counter()
    with ExitStack() as stack:
        files: dict[str, TextIO] = {}
        for split, name in names.items():
            temporary = stack.enter_context(atomic_path(out / f"{name}.json"))
            files[split] = stack.enter_context(temporary.open("w", encoding="utf-8"))
            files[split].write("[")
        for sample in samples():
            split = sample.split or "train"
            for row in _conversations(sample, labels):
                files[split].write(",\n" if counts[names[split]] else "\n")
                files[split].write(json.dumps(row, ensure_ascii=False))
                counts[names[split]] += 1
        for file in files.values():
            file.write("\n]\n")
    for old in out.glob(f"{FILE}*.json"):
        if old.stem not in counts:
            old.unlink()  # of a split that there is no more
    write_json(out / "dataset_info.json", {
        _named(NAME, split): {
            "file_name": f"{name}.json",
            "formatting": "sharegpt",
            "columns": {"messages": "messages", **{kind: kind for kind in sorted(kinds[split])}},
            "tags": _TAGS,
        }
        for split, name in names.items()
    })  # fmt: skip
    return {name: counts[name] for name in names.values()}


def _named(name: str, split: str) -> str:
    return name if split == "train" else f"{name}_{split}"


def _medium(sample: Sample) -> tuple[str, str, str]:
    """(column, placeholder, path) of each media file of a sample."""
    if sample.video:
        return "videos", "<video>", sample.video
    return "audios", "<audio>", str(sample.audio)


def _conversations(sample: Sample, labels: LabelSet) -> Iterable[dict[str, Any]]:
    column, placeholder, path = _medium(sample)
    said = f'The person says: "{_plain(sample.text)}" ' if sample.text else ""
    answers = {"emotion": sample.targets.emotion, "reason": sample.targets.reason}
    for task, answer in answers.items():
        question = instruction(task, labels)
        yield {
            "id": f"{sample.id}:{task}",
            "messages": [
                {"role": "user", "content": f"{placeholder}{said}{question}"},
                {"role": "assistant", "content": _plain(str(answer))},
            ],
            column: [path],
        }


def _plain(text: str) -> str:
    return _PLACEHOLDER.sub(r"\1", text)
