"""The clips of an arena as a task of MTEB: zero-shot recognition from the sound.

The folder holds `task.py`, which imports MTEB, and beside it the sound of every clip and
`test.jsonl`. MTEB is not needed to write it. It decodes pictures by torchcodec only, so the task is
of sound alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emollama.arena.configuration import ArenaConfig
from emollama.arena.run import CONFIG, clips_of, need_arena
from emollama.base.config import load_config
from emollama.base.errors import EmollamaError
from emollama.base.files import write_jsonl, written_whole
from emollama.manifest.sample import Manifest
from emollama.media.clip import MediaError
from emollama.media.data_urls import wav_bytes
from emollama.media.decode import decode_clip

TASK, TABLE, SOUNDS = "task.py", "test.jsonl", "sound"
CANDIDATE = "this person is feeling {label}"


def write_task(folder: Path, out: Path) -> None:
    """Write the clips of an arena as a task of MTEB into `out`, which is replaced.

    Raises:
        EmollamaError: the folder holds no arena, or no clip of it has sound.
    """
    need_arena(folder)
    config = load_config(ArenaConfig, folder / CONFIG)
    manifest = clips_of(config)
    if out.exists() and not (out / TASK).is_file():
        raise EmollamaError(f"{out}: is there already and holds no {TASK}; choose another folder")
    with written_whole(out) as draft:
        (draft / SOUNDS).mkdir()
        rows = list(_sounds(manifest, draft))
        if not rows:
            raise EmollamaError(f"{manifest.path}: no clip has sound, which MTEB's task is about")
        write_jsonl(draft / TABLE, rows)
        (draft / TASK).write_text(task_code(manifest, len(rows)), encoding="utf-8")


def _sounds(manifest: Manifest, out: Path) -> Iterator[dict[str, Any]]:
    """Write each clip's sound; gives its row."""
    for number, sample in enumerate(manifest.samples):
        files = [manifest.media(n) for n in (sample.audio, sample.video) if n is not None]
        if sample.mute or not files:
            continue
        try:
            sound = decode_clip(
                files[0], start=sample.start, end=sample.end, want_video=False
            ).audio  # fmt: skip
        except MediaError:
            continue
        if sound is None:
            continue
        name = f"{SOUNDS}/{number:05d}.wav"
        (out / name).write_bytes(wav_bytes(sound))
        label = manifest.labels.labels.index(str(sample.targets.emotion))
        yield {"id": sample.id, "sound": name, "label": label}


def task_code(manifest: Manifest, clips: int) -> str:
    """The module of the task."""
    labels = [CANDIDATE.format(label=label) for label in manifest.labels.labels]
    corpus = manifest.corpus or "arena"
    words = re.findall(r"[A-Za-z0-9]+", corpus)
    name = "Emollama" + "".join(word.capitalize() for word in words) + "ZeroShot"
    about = (
        f"Emotion of a person from the sound of {clips} clips of {corpus}, with "
        f"{len(labels)} labels: {', '.join(manifest.labels.labels)}."
    )
    return _CODE.format(name=name, about=about, labels=labels, table=TABLE)


_CODE = '''"""A task of MTEB, written by `emollama arena --mteb`."""

import json
import wave
from pathlib import Path

import numpy as np
from datasets import Dataset, DatasetDict
from mteb.abstasks import AbsTaskZeroShotClassification
from mteb.abstasks.task_metadata import TaskMetadata

FOLDER = Path(__file__).parent
# What the arena does not know of the clips: say it here.
LANGUAGES = ["eng-Latn"]
REFERENCE = "https://example.org"
LICENCE = "not specified"
DATES = ("2020-01-01", "2026-01-01")


class {name}(AbsTaskZeroShotClassification):
    metadata = TaskMetadata(
        name={name!r},
        description={about!r},
        reference=REFERENCE,
        dataset={{"path": str(FOLDER), "revision": "1"}},
        type="AudioZeroshotClassification",
        category="a2t",
        modalities=["audio", "text"],
        eval_splits=["test"],
        eval_langs=LANGUAGES,
        main_score="accuracy",
        date=DATES,
        domains=["Spoken"],
        task_subtypes=["Emotion classification"],
        license=LICENCE,
        annotations_creators="derived",
        dialect=[],
        sample_creation="found",
        bibtex_citation="",
    )
    input_column_name = "audio"
    label_column_name = "label"

    def load_data(self, **kwargs):
        if self.data_loaded:
            return
        lines = (FOLDER / {table!r}).read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        columns = {{
            "audio": [self._sound(row["sound"]) for row in rows],
            "label": [row["label"] for row in rows],
        }}
        data = Dataset.from_dict(columns)
        data.set_transform(self._as_arrays)
        self.dataset = DatasetDict(test=data)
        self.data_loaded = True

    @staticmethod
    def _as_arrays(batch):
        for sound in batch.get("audio", []):
            sound["array"] = np.asarray(sound["array"], np.float32)
        return batch

    @staticmethod
    def _sound(name):
        with wave.open(str(FOLDER / name)) as file:
            rate, data = file.getframerate(), file.readframes(file.getnframes())
        sound = np.frombuffer(data, "<i2").astype(np.float32) / 32768
        return {{"array": sound, "sampling_rate": rate}}

    def get_candidate_labels(self):
        return {labels!r}
'''
