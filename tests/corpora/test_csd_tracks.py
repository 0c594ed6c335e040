"""Features in csd files: steps in a clip's span, seconds from its start, faults in one line."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.csd_tracks import CsdImport, import_csd
from emollama.features.store import FeatureStore
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, write_manifest


def write_csd(path: Path, videos: dict[str, tuple[np.ndarray, np.ndarray]]) -> Path:
    with h5py.File(path, "w") as file:
        file.create_group("COVAREP/metadata")
        data = file.create_group("COVAREP/data")
        for name, (features, intervals) in videos.items():
            data.create_group(name)
            data[name]["features"], data[name]["intervals"] = features, intervals
    return path


def frames(count: int, width: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """`count` frames of a tenth of a second, frame i holding i in every column."""
    starts = np.arange(count) / 10
    return np.tile(np.arange(count)[:, None], (1, width)), np.stack([starts, starts + 0.1], 1)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    samples = [
        Sample(id="v_0", group="v", start=0.5, end=1.0, split="train"),
        Sample(id="v_1", group="v", start=1.0, end=9.0, split="train"),
        Sample(id="v_2", group="v", start=9.0, end=9.5, split="train"),
        Sample(id="w_0", group="w", start=0.0, end=1.0, split="test"),
    ]
    path = tmp_path / "m.jsonl"
    write_manifest(path, "mosei", get_label_set("mosei"), samples)
    return path


def test_steps_whose_centre_lies_in_the_span(manifest: Path, tmp_path: Path) -> None:
    features, intervals = frames(20)
    values = features.astype(float)
    values[6, 0] = -np.inf
    back = np.arange(20)[::-1]  # a sequence need not be in order
    csd = write_csd(tmp_path / "c.csd", {"v": (values[back], intervals[back])})
    found = import_csd(csd, manifest, tmp_path / "store", "covarep", "voice")
    assert found == CsdImport(tracks=2, absent=2, not_finite=1)
    reader = FeatureStore.open(tmp_path / "store").reader("covarep")
    first, second = reader.get("v_0"), reader.get("v_1")
    assert first is not None and second is not None
    assert first.values.tolist() == [[5, 5, 5], [0, 6, 6], [7, 7, 7], [8, 8, 8], [9, 9, 9]]
    assert np.allclose(first.times, [0.05, 0.15, 0.25, 0.35, 0.45])
    assert second.values[:, 0].tolist() == list(range(10, 20))
    assert reader.get("v_2") is None and reader.status("w_0") == "absent"


def test_a_second_import_takes_the_place_of_the_first(manifest: Path, tmp_path: Path) -> None:
    csd = write_csd(tmp_path / "c.csd", {"v": frames(20)})
    for _ in range(2):
        import_csd(csd, manifest, tmp_path / "store", "covarep", "voice")
    other = write_csd(tmp_path / "d.csd", {"v": frames(20, width=4)})
    with pytest.raises(EmollamaError, match="holds different features"):
        import_csd(other, manifest, tmp_path / "store", "covarep", "voice")


def test_faults_are_one_line(manifest: Path, tmp_path: Path) -> None:
    def refused(csd: Path, message: str) -> None:
        with pytest.raises(EmollamaError, match=message):
            import_csd(csd, manifest, tmp_path / "store", "covarep", "voice")

    junk = tmp_path / "junk.csd"
    junk.write_bytes(b"no HDF5")
    refused(junk, "junk.csd: is not a csd file")
    refused(tmp_path / "none.csd", "none.csd: is not a csd file")
    features, intervals = frames(20)
    short = write_csd(tmp_path / "short.csd", {"v": (features, intervals[:-1])})
    refused(short, r"'v': intervals must be numbers \[20, 2\], not float64 \[19, 2\]")
    mixed = write_csd(tmp_path / "mixed.csd", {"a": frames(2), "v": frames(2, width=5)})
    refused(mixed, "'v': is 5 columns wide, the other videos 3")
    elsewhere = write_csd(tmp_path / "x.csd", {"x": frames(20)})
    (tmp_path / "store" / "covarep" / "encoder.json").unlink(missing_ok=True)
    refused(elsewhere, "no step lies within a clip")
    without = tmp_path / "n.jsonl"
    write_manifest(without, "mosei", get_label_set("mosei"), [Sample(id="a", group="v")])
    with pytest.raises(EmollamaError, match="'a' has no group, start and end"):
        import_csd(elsewhere, without, tmp_path / "store", "covarep", "voice")
    with pytest.raises(EmollamaError, match="is not a valid folder name"):
        import_csd(elsewhere, manifest, tmp_path / "store", "../x", "voice")
