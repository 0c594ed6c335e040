"""Folders of .npy: from a real clip through full-size encoders at tiny size, and back in."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.features.npy_export import export_npy
from emollama.features.store import FeatureStore, open_tracks
from emollama.manifest.sample import Sample
from tests import warm
from tests.encoders.published import put
from tests.features.made import manifest
from tests.media.recording import record


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EMOLLAMA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("EMOLLAMA_NO_HUB", "1")
    return tmp_path / "home"


def run(*words: object) -> tuple[int, str, str]:
    """A process of its own: worker processes keep the environment that the first of them saw."""
    done = warm.run("-m", "emollama", *words)
    return done.returncode, done.stdout, done.stderr


def test_extract_writes_what_the_store_holds(home: Path, tmp_path: Path) -> None:
    for name in ("chinese-hubert-large", "vit-mae-large", "bert-base-uncased"):
        put(name, tmp_path / "weights")
    record(tmp_path / "both.mp4", seconds=1.0, voice=True)
    record(tmp_path / "mute.mp4", seconds=1.0, sound_rate=None)
    (tmp_path / "bad.mp4").write_text("no film")
    samples = [
        Sample(id="dia/one", video="both.mp4", text="the voice is loud"),
        Sample(id="mute", video="mute.mp4"),
        Sample(id="bad", video="bad.mp4", text="he smiles"),
    ]
    made, store = manifest(tmp_path, samples), tmp_path / "store"
    command = (
        "extract", made.path, "--store", store, "--format", "npy", "--workers", 1, "--encoders",
        "chinese-hubert-large+layer=last+level=utt,vit-mae-large+level=fra+crop=frame+frames=3,"
        "bert-base-uncased+level=fra",
    )  # fmt: skip
    code, out, err = run(*command)
    assert code == 0, err
    assert f"{store}/chinese-hubert-large-UTT: 1 written, 0 kept, 1 absent (mute), 1 failed (bad)" \
        in out  # fmt: skip
    assert f"{store}/vit-mae-large-FRA: 2 written, 0 kept, 1 failed (bad)" in out
    assert f"{store}/bert-base-uncased-UTT: 2 written, 0 kept, 1 absent (mute)" in out
    found = sorted(p.relative_to(store).as_posix() for p in store.rglob("*.npy"))
    assert found == [
        "bert-base-uncased-FRA/bad.npy", "bert-base-uncased-FRA/dia/one.npy",
        "bert-base-uncased-UTT/bad.npy", "bert-base-uncased-UTT/dia/one.npy",
        "chinese-hubert-large-UTT/dia/one.npy",
        "vit-mae-large-FRA/dia/one.npy", "vit-mae-large-FRA/mute.npy",
        "vit-mae-large-UTT/dia/one.npy", "vit-mae-large-UTT/mute.npy",
    ]  # fmt: skip
    reader = FeatureStore.open(store).reader("vit-mae-large")
    track = reader.get("mute")
    frames = np.load(store / "vit-mae-large-FRA/mute.npy", allow_pickle=False)
    mean = np.load(store / "vit-mae-large-UTT/mute.npy", allow_pickle=False)
    assert track is not None and frames.shape == (3, 32) and mean.shape == (32,)
    np.testing.assert_array_equal(frames, track.values)
    np.testing.assert_allclose(mean, frames.mean(0), atol=1e-6)
    # The folders are external tracks like those of other tools.
    voice = open_tracks(None, f"npy:{store}/chinese-hubert-large-UTT")
    assert voice.ids() == ["dia/one"] and voice.width == 32
    assert FeatureStore.open(store).encoders() == sorted(
        p.name for p in store.iterdir() if "+" in p.name
    )

    # Again: everything is kept; a removed, an older and a stale file are put right.
    code, out, _ = run(*command)
    assert "vit-mae-large-UTT: 0 written, 2 kept" in out
    (store / "vit-mae-large-UTT/mute.npy").unlink()
    os.utime(store / "vit-mae-large-UTT/dia/one.npy", ns=(1, 1))
    np.save(store / "vit-mae-large-UTT/bad.npy", np.zeros(32))
    code, out, _ = run(*command)
    assert "vit-mae-large-UTT: 2 written, 0 kept, 1 failed (bad)" in out
    assert not (store / "vit-mae-large-UTT/bad.npy").exists()
    np.testing.assert_array_equal(np.load(store / "vit-mae-large-UTT/mute.npy"), mean)

    # Another layer of the same model does not get into the same folder.
    code, _, err = run(*command[:-1], "vit-mae-large+layer=2+crop=frame+frames=3")
    assert code == 2 and "holds vectors of 'vit-mae-large+layer=last+level=fra" in err
    code, _, err = run(*command[:-1], "hubert-base+layer=1,hubert-base+layer=2")
    assert code == 2 and "'hubert-base' is given twice with different options" in err


def test_ids_stay_inside_the_folder(tmp_path: Path) -> None:
    from emollama.encoders.prosody import ProsodyEncoder
    from emollama.features.extract import extract
    from tests.features.made import voice

    voice(tmp_path / "a.wav", 100)
    ids = ["fine", "../outside"]
    # No manifest with such an id is read; a store may hold it all the same.
    made = manifest(tmp_path, [Sample(id="fine", audio="a.wav")])
    made = replace(made, samples=tuple(Sample(id=i, audio="a.wav") for i in ids))
    extract(made, [ProsodyEncoder()], tmp_path / "store", workers=0)
    key = ProsodyEncoder().key
    reports = export_npy(tmp_path / "store", key, ids)
    assert [line.rpartition("/")[2] for line in reports.lines()[:1]] == ["outside)"]
    assert reports.folders[0].unsafe == ["../outside"] and len(reports.folders) == 1
    assert not list(tmp_path.rglob("outside*"))
    folder = open_tracks(None, f"npy:{tmp_path}/store/prosody-UTT")
    assert folder.columns == ProsodyEncoder().columns
    (tmp_path / "store/prosody-UTT/made_of.json").unlink()
    with pytest.raises(EmollamaError, match="was not written by an extraction"):
        export_npy(tmp_path / "store", key, ids)


@pytest.mark.parametrize("folder", ["mae_340_UTT", "maeV_399_UTT", "HL-UTT"])
@pytest.mark.parametrize("shape", [(1024,), (1, 1024)])
def test_the_released_folders_are_external_tracks(
    tmp_path: Path, folder: str, shape: tuple[int, ...]
) -> None:
    (tmp_path / folder).mkdir()
    vector = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    np.save(tmp_path / folder / "sample_00000047.npy", vector)
    tracks = open_tracks(None, f"npy:{tmp_path / folder}")
    track = tracks.get("sample_00000047")
    assert track is not None and tracks.width == 1024 and tracks.ids() == ["sample_00000047"]
    np.testing.assert_array_equal(track.values, vector.reshape(1, 1024))
