"""Extraction in shards that know nothing of each other, and the merge of what they leave."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.encoders.prosody import ProsodyEncoder
from emollama.features.extract import ExtractReport, extract
from emollama.manifest.sample import Manifest
from emollama.workers.shares import Share
from tests.features.made import Letters, build, corpus, start


def run(made: Manifest, store: Path, **options: object) -> ExtractReport:
    """Extract prosody and words in this process."""
    encoders = [ProsodyEncoder(), Letters()]
    how = {"workers": 0, "build": build, "shard_size": 20, **options}
    return extract(made, encoders, store, **how)  # type: ignore[arg-type]


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but locks."""
    found = (p for p in folder.rglob("*") if p.is_file() and p.name != ".lock")
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found}


def test_merged_shards_are_the_bytes_of_one_run_and_a_missing_one_is_told(tmp_path: Path) -> None:
    made = corpus(tmp_path, 45)
    (tmp_path / "wav/clip-0007.wav").write_text("no sound")
    whole = run(made, tmp_path / "one")
    store = tmp_path / "shards"
    with pytest.raises(EmollamaError, match=r"lacks 45 clips.*no shard has been run"):
        run(made, store, merge=True)
    reports = {i: run(made, store, share=Share(i, 3)) for i in (2, 0)}
    assert [reports[i].computed for i in (0, 2)] == [15, 15]
    assert not list(store.glob("*/index.json"))
    with pytest.raises(EmollamaError, match=r"lacks 15 clips, e\.g\. 'clip-0001'; run --shard 1/3"):
        run(made, store, merge=True)
    reports[1] = run(made, store, share=Share(1, 3))
    assert list(reports[1].failures) == ["clip-0007"]
    assert run(made, store, share=Share(2, 3)).computed == 0  # it was done
    merged = run(made, store, merge=True)
    assert merged.computed == 0 and merged.counts == whole.counts
    assert files(store) == files(tmp_path / "one") and not (store / ".shards").exists()


def test_a_killed_shard_goes_on_and_leaves_the_same_bytes(tmp_path: Path) -> None:
    made = corpus(tmp_path, 150)
    everything = {"workers": 0, "shard_size": 60}
    extract(made, [ProsodyEncoder()], tmp_path / "one", **everything)  # type: ignore[arg-type]
    store = tmp_path / "shards"
    parts = store / ProsodyEncoder().key / "parts"
    process = start(made.path, store, "1", "60", "1/2")
    _wait(lambda: parts.is_dir() and bool(list(parts.glob("1-of-2.*"))))
    process.kill()
    process.wait()
    again = extract(made, [ProsodyEncoder()], store, workers=0, share=Share(1, 2))
    assert again.kept == 64  # a part of 64 clips was there, and the 11 others are made
    extract(made, [ProsodyEncoder()], store, workers=0, share=Share(0, 2))
    extract(made, [ProsodyEncoder()], store, merge=True, **everything)  # type: ignore[arg-type]
    assert files(store) == files(tmp_path / "one")


def test_shards_and_whole_runs_can_follow_each_other(tmp_path: Path) -> None:
    """A run without shards takes over what shards have left, and adds the rest."""
    made = corpus(tmp_path, 20)
    run(made, tmp_path / "one")
    store = tmp_path / "store"
    run(made, store, share=Share(1, 4))
    report = run(made, store)
    assert (report.computed, report.kept) == (15, 5)
    assert files(store) == files(tmp_path / "one")


def test_the_shards_of_another_corpus_in_the_store_are_left_to_it(tmp_path: Path) -> None:
    made = corpus(tmp_path, 20)
    one, other = replace(made, samples=made.samples[:8]), replace(made, samples=made.samples[8:])
    store = tmp_path / "store"
    run(other, store, share=Share(0, 2))
    run(one, store)
    assert run(other, store, share=Share(0, 2)).computed == 0
    run(other, store, share=Share(1, 2))
    assert run(other, store, merge=True).computed == 0
    assert not list(store.glob("*/parts")) and not (store / ".shards").exists()


def _wait(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.005)
