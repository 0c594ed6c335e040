"""Aff-Wild2's HDF5 of targets and features in miniature."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.readers.aff_wild2 import read_frames
from emollama.corpora.readers.aff_wild2_h5 import prepare_aff_wild2_h5
from emollama.features.external import ExternalTracks
from tests.corpora.trees import samples_of


def targets(
    root: Path, split: str, videos: dict[str, tuple[list[float] | None, int, bool]]
) -> None:
    """{video: (valence or None, length, special)}; arousal is its negative."""
    (root / "targets").mkdir(parents=True, exist_ok=True)
    with h5py.File(root / f"targets/{split}_valid_targets.h5", "w") as file:
        for name, (valence, length, special) in videos.items():
            group = file.create_group(name)
            group["length"] = length
            group["special"] = special
            if valence is not None:
                group["valence"] = np.array(valence, np.float32)
                group["arousal"] = -np.array(valence, np.float32)


def feature(root: Path, split: str, name: str, videos: dict[str, list[list[float]]]) -> None:
    (root / "features").mkdir(parents=True, exist_ok=True)
    with h5py.File(root / f"features/{split}_{name}.h5", "w") as file:
        for video, rows in videos.items():
            file[f"{video}/fts"] = np.array(rows, np.float64)
            file[f"{video}/pad"] = np.zeros(len(rows))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "aff"
    targets(root, "train", {"46_left": ([0.5, -0.25], 2, False), "7_1": ([1.0], 1, True)})
    targets(root, "test", {"12_2": (None, 1, False)})
    feature(root, "train", "egemaps", {"46_left": [[1, 2], [3, 4]], "7_1": [[5, 6]]})
    feature(root, "test", "egemaps", {})
    feature(root, "train", "vggish", {"46_left": [[0], [0]], "7_1": [[0]]})
    return root


def test_frames_and_tracks_beside_the_manifest(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "run/m.jsonl"
    report = prepare_aff_wild2_h5(root, out, features=["egemaps"])
    first, second, third = samples_of(out).values()
    assert (first.group, second.group, third.group) == ("46", "7", "12_2")
    assert (first.targets.valence, first.targets.arousal) == (0.125, -0.125)
    assert first.targets.frames == "frames/46_left.txt" and third.targets.frames is None
    assert read_frames(tmp_path / "run/frames/46_left.txt") == ([0.5, -0.25], [-0.5, 0.25])
    tracks = ExternalTracks(tmp_path / "run/tracks/egemaps")
    assert tracks.ids() == ["46_left", "7_1"] and tracks.width == 2
    assert not (tmp_path / "run/tracks/vggish").exists()
    assert report.faults == ("split 'test': 1 of 1 lack feature 'egemaps', e.g. '12_2'",)
    assert "no targets/val_valid_targets.h5: the split is left out" in report.notes
    with pytest.raises(EmollamaError, match="1 of 1 lack feature 'egemaps'"):
        prepare_aff_wild2_h5(root, tmp_path / "strict.jsonl", features=["egemaps"], strict=True)


def test_mistakes(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.jsonl"
    with pytest.raises(EmollamaError, match="has no 'egemap'; did you mean 'egemaps'"):
        prepare_aff_wild2_h5(root, out, features=["egemap"])
    feature(root, "train", "egemaps", {"46_left": [[1, 2]]})
    with pytest.raises(EmollamaError, match=r"egemaps.h5: '46_left': fts is \[1, 2\]; .*\[2, D\]"):
        prepare_aff_wild2_h5(root, out)
    feature(root, "train", "egemaps", {"46_left": [[1, 2], [np.nan, 2]]})
    with pytest.raises(EmollamaError, match="'46_left': fts must be finite numbers"):
        prepare_aff_wild2_h5(root, out)
    targets(root, "train", {"7": ([0.5], 2, False)})
    with pytest.raises(EmollamaError, match=r"'7': valence is \[1\], length says 2"):
        prepare_aff_wild2_h5(root, out)
    targets(root, "train", {"7": ([-5.0], 1, False)})
    with pytest.raises(EmollamaError, match="'7': valence is not from -1 to 1"):
        prepare_aff_wild2_h5(root, out)
    (root / "targets/train_valid_targets.h5").write_bytes(b"cut off")
    with pytest.raises(
        EmollamaError, match=r"train_valid_targets.h5: is not an HDF5 file of Aff-Wild2"
    ):
        prepare_aff_wild2_h5(root, out)
    assert not out.exists()
    with pytest.raises(EmollamaError, match="has no targets/train_valid"):
        prepare_aff_wild2_h5(tmp_path, out)
