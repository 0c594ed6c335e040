"""Faults of a feature store, planted in one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.doctor import Limits
from emollama.corpora.doctor.clips import Looked
from emollama.corpora.doctor.look import FileFacts, MediaFacts
from emollama.corpora.doctor.tracks import open_store, track_findings
from emollama.encoders.base import FeatureTrack
from emollama.features.shards import SUFFIX, Entry, Extracted, write_shard
from emollama.features.store import EncoderRecord, write_index, write_record
from emollama.manifest.sample import Manifest, Sample
from emollama.manifest.signature import signature, text_signature
from tests.features.made import manifest

SECONDS = 4.0
FACTS = FileFacts(
    "digest", SECONDS, None, (0.0, SECONDS), False, True, 0, -20.0, "sound", 0
)  # fmt: skip
NAMES = (
    "fine", "utterance", "frame", "late", "early", "nan", "endless", "failed", "absent", "other",
    "never", "lost",
)  # fmt: skip
TIMES: dict[str, list[float]] = {
    "utterance": [2.0],
    "frame": [0.0, 0.0],  # patches of the opening frame
    "late": [1.0, 5.0],
    "early": [0.1, 0.3],
}


def track(name: str) -> FeatureTrack:
    times = np.array(TIMES.get(name, [0.5, 1.5, 2.5, 3.5]), np.float32)
    values = np.ones((len(times), 3), np.float32)
    if name == "nan":
        values[1, 2] = np.nan
    if name == "endless":
        values[3, 0] = np.inf
    return FeatureTrack(values, times)


def entry(name: str, mark: str) -> Entry:
    if name == "failed":
        return Entry(name, mark, "failed", "timed out", "not done after 300 s")
    return Entry(name, "old" if name == "other" else mark, "absent" if name == "absent" else "ok")


def fill(made: Manifest, store: Path, key: str, channel: str) -> Path:
    """An encoder's folder with two shards; the second holds 'lost' and 'never' is in none."""
    folder = store / key
    write_record(folder, EncoderRecord(key, channel, 3, "print", ()))
    marks = {
        s.id: text_signature(s) if channel == "words" else signature(made, s) for s in made.samples
    }
    held = [name for name in NAMES if name in marks and name != "never"]
    shards = []
    for number, names in enumerate(([n for n in held if n != "lost"], ["lost"])):
        items = []
        for name in names:
            known = entry(name, marks.get(name, ""))
            items.append(Extracted(known, track(name) if known.status == "ok" else None))
        write_shard(folder / f"{number}{SUFFIX}", 3, "print", items)
        shards.append((f"{number}{SUFFIX}", names))
    write_index(folder, shards)
    return folder


def look(made: Manifest) -> list[Looked]:
    return [Looked(s, MediaFacts(None, FACTS) if s.audio else None, None) for s in made.samples]


def found(made: Manifest, store: Path) -> set[tuple[str, tuple[str, ...]]]:
    opened = open_store(store)
    findings = track_findings(made, look(made), opened, Limits(), lambda done, total: None)
    return {(f.kind, f.ids) for f in findings}


@pytest.fixture
def made(tmp_path: Path) -> Manifest:
    return manifest(tmp_path, [Sample(id=name, audio=f"{name}.wav") for name in NAMES])


def test_every_fault_of_a_track_is_found_and_nothing_else(made: Manifest, tmp_path: Path) -> None:
    folder = fill(made, tmp_path / "store", "loudness", "voice")
    (folder / f"1{SUFFIX}").write_bytes(b"no shard")
    unfinished = EncoderRecord("unfinished", "voice", 3, "print", ())
    write_record(tmp_path / "store" / "unfinished", unfinished)
    assert found(made, tmp_path / "store") == {
        ("track too long", ("late",)),
        ("track too short", ("early",)),
        ("not finite", ("nan",)),
        ("not finite", ("endless",)),
        ("failed track", ("failed",)),
        ("other media", ("other",)),
        ("missing track", ("never",)),
        ("unreadable features", ("lost",)),
        ("unreadable features", ()),
    }


def test_words_are_asked_for_where_there_is_text_and_voices_where_there_are_media(
    tmp_path: Path,
) -> None:
    samples = [
        Sample(id="fine", audio="fine.wav"),
        Sample(id="early", text="the words stand at no moment"),
        Sample(id="never", text="nobody encoded this"),
    ]
    made = manifest(tmp_path, samples)
    fill(made, tmp_path / "store", "loudness", "voice")
    fill(made, tmp_path / "store", "letters", "words")
    assert found(made, tmp_path / "store") == {("missing track", ("never",))}
    changed = [*samples[:1], *(s.model_copy(update={"text": "corrected"}) for s in samples[1:])]
    assert ("other media", ("early",)) in found(manifest(tmp_path, changed), tmp_path / "store")


def test_a_long_clip_may_be_heard_in_part(tmp_path: Path) -> None:
    made = manifest(tmp_path, [Sample(id="fine", audio="fine.wav")])
    fill(made, tmp_path / "store", "loudness", "voice")
    for seconds, kinds in ((7.0, set()), (9.0, {"track too short"})):
        facts = replace(FACTS, sound=(0.0, seconds))
        clips = [Looked(made.samples[0], MediaFacts(None, facts), None)]
        store = open_store(tmp_path / "store")
        findings = track_findings(made, clips, store, Limits(), lambda *_: None)
        assert {f.kind for f in findings} == kinds


def test_a_store_that_is_none_is_one_clear_line(made: Manifest, tmp_path: Path) -> None:
    with pytest.raises(EmollamaError, match="no such feature store"):
        found(made, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(EmollamaError, match="holds no features"):
        found(made, tmp_path / "empty")
