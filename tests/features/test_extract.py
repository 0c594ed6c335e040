"""Extraction on real files: killed, shared by two ranks, and with every kind of bad clip."""

from __future__ import annotations

import io
import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from emollama.base.errors import EmollamaError
from emollama.encoders.base import Encoder
from emollama.encoders.prosody import ProsodyEncoder
from emollama.features.extract import ExtractReport, extract
from emollama.features.failures import failure_table
from emollama.features.shards import Shard
from emollama.features.store import FeatureStore, StoredTracks
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Manifest, Sample, write_manifest
from tests.features.made import Letters, Troubled, build, corpus, finish, manifest, start, voice
from tests.media.recording import record
from tests.processes import free_port


def run(corpus: Manifest, store: Path, **options: object) -> ExtractReport:
    """Extract prosody in this process."""
    return extract(corpus, [ProsodyEncoder()], store, **{"workers": 0, **options})  # type: ignore[arg-type]


def values(store: Path) -> dict[str, np.ndarray]:
    reader = FeatureStore.open(store).reader("prosody")
    found = {}
    for sample_id in reader.ids():
        track = reader.get(sample_id)
        assert track is not None
        found[sample_id] = np.column_stack([track.values, track.times])
    return found


def assert_same(one: Path, other: Path) -> None:
    first, second = values(one), values(other)
    assert list(first) == list(second)
    for sample_id, value in first.items():
        np.testing.assert_array_equal(value, second[sample_id], err_msg=sample_id)


def processes_of(group: int) -> list[str]:
    """Processes still alive in a process group."""
    alive = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            alive.append(stat.parent.name)
    return alive


def test_killed_three_times_then_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    made = corpus(tmp_path, 1200)
    run(made, tmp_path / "whole", shard_size=300)
    store = tmp_path / "killed"
    kept: list[int] = []
    for _ in range(3):
        before = len(list(store.rglob("*.safetensors")))
        process = start(made.path, store, "2", "300")
        deadline = time.monotonic() + 60
        while len(list(store.rglob("*.safetensors"))) <= before and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(random.uniform(0, 0.3))
        assert process.poll() is None, "it was done before it could be killed"
        process.kill()
        process.wait()
        kept.append(len(list(store.rglob("*.safetensors"))))
        with pytest.raises(EmollamaError, match="is not complete; run"):
            StoredTracks(store / ProsodyEncoder().key)
        # Workers end by themselves when their parent is gone.
        deadline = time.monotonic() + 20
        while processes_of(process.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not processes_of(process.pid)
    computed, reused = map(int, finish(start(made.path, store, "2", "300")).split())
    assert computed + reused == 1200 and reused >= 64 and kept[0] >= 1
    assert_same(tmp_path / "whole", store)
    folder = store / ProsodyEncoder().key
    assert len(list(folder.glob("*.safetensors"))) == 4 and not (folder / "parts").exists()
    assert not list(store.rglob("*.tmp"))


def test_ctrl_c_keeps_what_has_been_computed(tmp_path: Path) -> None:
    made = corpus(tmp_path, 100)

    def interrupt(done: int, total: int) -> None:
        if done >= 80:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(made, tmp_path / "store", workers=2, progress=interrupt)
    computed = run(made, tmp_path / "store").computed
    assert 0 < computed <= 20  # a full part of 64 clips, and the clips after it
    assert len(values(tmp_path / "store")) == 100


def test_two_ranks_write_what_one_writes_and_a_rank_may_have_nothing_to_do(tmp_path: Path) -> None:
    made = corpus(tmp_path, 30)
    run(made, tmp_path / "one")
    one_clip = manifest(tmp_path, made.samples[:1])
    for name, path, expected in (("two", made.path, "30 0"), ("single", one_clip.path, "1 0")):
        manifest(tmp_path, made.samples if name == "two" else made.samples[:1])
        env = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
        ranks = [start(path, tmp_path / name, "1", "7", RANK=str(r), **env) for r in (0, 1)]
        assert [finish(rank).strip() for rank in ranks] == [expected] * 2
    assert_same(tmp_path / "one", tmp_path / "two")
    assert len(list((tmp_path / "two" / ProsodyEncoder().key).glob("*.safetensors"))) == 5


def test_only_what_changed_is_extracted_again(tmp_path: Path) -> None:
    made = corpus(tmp_path, 12)
    store = tmp_path / "store"
    assert run(made, store, shard_size=5).computed == 12
    assert run(made, store, shard_size=5).computed == 0
    before = values(store)
    voice(tmp_path / "wav/clip-0003.wav", 250.0)  # the same size, another sound
    os.utime(tmp_path / "wav/clip-0003.wav", ns=(1, 1))
    report = run(made, store, shard_size=5)
    assert (report.computed, report.kept) == (1, 11)
    after = values(store)
    changed = [i for i in before if not np.array_equal(before[i], after[i])]
    assert changed == ["clip-0003"]
    # Another cut into shards, and a manifest that has grown in front, take over what is there.
    voice(tmp_path / "wav/new.wav", 99.0)
    grown = manifest(tmp_path, [Sample(id="new", audio="wav/new.wav"), *made.samples])
    assert run(grown, store, shard_size=8).computed == 1
    assert {i: v.tolist() for i, v in values(store).items() if i != "new"} == {
        i: v.tolist() for i, v in after.items()
    }
    assert len(list((store / ProsodyEncoder().key).glob("*.safetensors"))) == 2
    # A part of the corpus leaves the rest readable.
    assert run(manifest(tmp_path, made.samples[2:4]), store).computed == 0
    assert set(values(store)) == {s.id for s in grown.samples}


def test_bad_clips_fail_alone_and_are_told_by_reason(tmp_path: Path) -> None:
    made = corpus(tmp_path, 10)
    (tmp_path / "text.wav").write_text("not sound")
    extra = {"text": "text.wav", "gone": "gone.wav"}
    for name, seconds in (("segfault", 1.1), ("raises", 1.2), ("hangs", 1.3), ("nan", 1.4)):
        voice(tmp_path / f"{name}.wav", 100.0, seconds)
        extra[name] = f"{name}.wav"
    voice(tmp_path / "silent.wav", 0.0)
    extra["silent"] = "silent.wav"
    samples = [*made.samples, *(Sample(id=i, audio=name) for i, name in extra.items())]
    whole = manifest(tmp_path, [samples[i] for i in (10, 0, 12, 1, 2, 13, 3, 14, 15, 4, 5, 11, 16)])
    store = tmp_path / "store"
    encoders: list[Encoder] = [ProsodyEncoder(), Troubled()]

    def go(retry_failed: bool = False) -> ExtractReport:
        return extract(
            whole,
            encoders,
            store,
            workers=2,
            batch_size=4,
            clip_seconds=2,
            build=build,
            retry_failed=retry_failed,
        )

    report = go()
    assert report.computed == 13
    reasons = {i: {k: f.reason for k, f in by.items()} for i, by in report.failures.items()}
    prosody = ProsodyEncoder().key
    assert reasons == {
        "text": {prosody: "unreadable", "troubled": "unreadable"},
        "gone": {prosody: "missing", "troubled": "missing"},
        "segfault": {prosody: "worker died", "troubled": "worker died"},
        "hangs": {prosody: "timed out", "troubled": "timed out"},
        "raises": {"troubled": "RuntimeError"},
        "nan": {"troubled": "not finite"},
    }
    assert report.counts[prosody] == {"ok": 8, "absent": 1, "failed": 4}
    text = io.StringIO()
    Console(file=text, width=200).print(failure_table(report))
    assert "gone.wav" in text.getvalue() and "[red]luck[/red]" in text.getvalue()

    store_reader = FeatureStore.open(store).reader("troubled")
    assert store_reader.status("raises") == "failed: RuntimeError"
    with pytest.raises(EmollamaError, match=r"'raises' could not be extracted.*luck"):
        store_reader.get("raises")
    assert FeatureStore.open(store).reader("prosody").get("silent") is None
    # Failures are remembered until they are asked for again, or their media change.
    assert go().computed == 0
    voice(tmp_path / "gone.wav", 150.0)
    voice(tmp_path / "segfault.wav", 150.0)
    again = go()
    assert again.computed == 2 and set(again.failures) == {"text", "hangs", "raises", "nan"}
    assert go(retry_failed=True).computed == 4


def test_face_and_voice_share_a_clip_and_a_video_without_sound_has_no_voice(tmp_path: Path) -> None:
    record(tmp_path / "both.mp4", seconds=1.0, voice=True)
    record(tmp_path / "mute.mp4", seconds=1.0, sound_rate=None)
    made = manifest(tmp_path, [Sample(id=i, video=f"{i}.mp4") for i in ("both", "mute")])
    report = run(made, tmp_path / "store")
    assert report.counts[ProsodyEncoder().key] == {"ok": 1, "absent": 1}


def test_corrupt_shard_is_named_when_read_and_redone_by_extraction(tmp_path: Path) -> None:
    made = corpus(tmp_path, 6)
    store = tmp_path / "store"
    run(made, store, shard_size=3)
    before = values(store)
    shard = sorted((store / ProsodyEncoder().key).glob("*.safetensors"))[1]
    shard.write_bytes(shard.read_bytes()[:-40])
    with pytest.raises(EmollamaError, match=rf"{shard.name}: is not a readable feature shard"):
        values(store)
    assert run(made, store, shard_size=3).computed == 3
    assert {i: v.tolist() for i, v in values(store).items()} == {
        i: v.tolist() for i, v in before.items()
    }
    shard.unlink()
    with pytest.raises(EmollamaError, match=rf"{shard.name}: this feature shard is missing"):
        values(store)


def test_another_version_of_the_encoder_is_one_clear_line(tmp_path: Path) -> None:
    made = corpus(tmp_path, 2)
    run(made, tmp_path / "store")
    newer = ProsodyEncoder()
    newer.fingerprint = "f" * 64
    with pytest.raises(EmollamaError, match=r"another version of this encoder .*ffff.* another"):
        extract(made, [newer], tmp_path / "store", workers=0)


def test_two_extractions_do_not_write_to_one_store(tmp_path: Path) -> None:
    made = corpus(tmp_path, 1200)
    store = tmp_path / "store"
    process = start(made.path, store, "1", "1000")
    deadline = time.monotonic() + 60
    while not list(store.rglob("encoder.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        with pytest.raises(EmollamaError, match="another extraction is writing to this store"):
            run(made, store)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert run(manifest(tmp_path, made.samples[:2]), store).computed <= 2


def test_shards_hold_consecutive_ids_of_the_manifest(tmp_path: Path) -> None:
    made = corpus(tmp_path, 10)
    run(made, tmp_path / "store", shard_size=4)
    shards = sorted((tmp_path / "store" / ProsodyEncoder().key).glob("*.safetensors"))
    ids = [[entry.id for entry in Shard(path).entries] for path in shards]
    assert ids == [[s.id for s in made.samples[i : i + 4]] for i in (0, 4, 8)]


@pytest.mark.parametrize("option", ["batch_size", "shard_size"])
def test_nonsense_options_are_refused(tmp_path: Path, option: str) -> None:
    with pytest.raises(EmollamaError, match=f"{option} must be 1 or more"):
        run(corpus(tmp_path, 1), tmp_path / "store", **{option: 0})
    with pytest.raises(EmollamaError, match="named twice"):
        extract(corpus(tmp_path / "b", 1), [ProsodyEncoder()] * 2, tmp_path / "store")


@pytest.mark.parametrize("workers", [0, 1])
def test_words_need_no_media_and_follow_the_subtitle_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], workers: int
) -> None:
    (tmp_path / "wav").mkdir()
    voice(tmp_path / "wav/a.wav", 100)
    (tmp_path / "wav/b.wav").write_text("no sound")

    def extracted(*texts: str | None) -> ExtractReport:
        samples = [
            Sample(id=name, audio=f"wav/{name}.wav", text=text)
            for name, text in zip("abc", texts, strict=True)
        ]
        return extract(
            manifest(tmp_path, samples), [ProsodyEncoder(), Letters()], tmp_path / "store",
            workers=workers, build=build,
        )  # fmt: skip

    first = extracted("one", "seven", None)
    assert first.counts == {
        ProsodyEncoder().key: {"ok": 1, "failed": 2},
        "letters": {"ok": 2, "absent": 1},
    }
    reader = FeatureStore.open(tmp_path / "store").reader("letters")
    assert [reader.get(i).values.item() for i in "ab"] == [3, 5]  # type: ignore[union-attr]
    assert reader.status("c") == "absent"

    capsys.readouterr()
    again = extracted("one", "corrected", "new")
    assert "has 2 of these ids with other media or subtitles, e.g. 'b'" in capsys.readouterr().err
    assert (again.computed, again.kept) == (2, 1)
    reader = FeatureStore.open(tmp_path / "store").reader("letters")
    assert [reader.get(i).values.item() for i in "abc"] == [3, 9, 3]  # type: ignore[union-attr]
    assert again.counts[ProsodyEncoder().key] == {"ok": 1, "failed": 2}


@pytest.mark.parametrize(
    "words",
    ["--encoders prosody,prosody+segments=3", "--encoders prosody --encoders prosody+segments=3"],
)
def test_encoders_are_named_by_comma_or_one_an_option(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from emollama.cli.app import app

    def extract(_: Manifest, encoders: list[Encoder], *__: object, **___: object) -> None:
        raise EmollamaError(" and ".join(e.key for e in encoders))

    monkeypatch.setattr("emollama.features.extract.extract", extract)
    write_manifest(tmp_path / "m.jsonl", "made", get_label_set("mer2023"), [Sample(id="a")])
    command = ["extract", str(tmp_path / "m.jsonl"), "--store", str(tmp_path), *words.split()]
    with pytest.raises(EmollamaError, match=r"^prosody\+segments=1 and prosody\+segments=3$"):
        app(command, standalone_mode=False)
