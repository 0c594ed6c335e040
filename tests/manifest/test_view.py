"""The part of the picture that shows a sample's person, from the manifest to every decoder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.encoders.base import FeatureTrack
from emollama.features.extract import extract
from emollama.features.store import read_record
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, read_manifest, write_manifest
from emollama.manifest.signature import signature
from emollama.session.asked import asked_clips
from emollama.workers.worker import decode_views, job_of
from tests.media.recording import record

WHITE, GREY = (0.0, 0.0, 0.5, 0.5), (0.5, 0.5, 1.0, 1.0)


def written(path: Path, **more: object) -> Path:
    write_manifest(path, "made", get_label_set("mer2023"), [Sample(id="a", video="a.mp4", **more)])
    return path


def test_samples_without_a_view_keep_their_bytes_and_keys(tmp_path: Path) -> None:
    path = written(tmp_path / "m.jsonl", start=1.0, end=2.0)
    line = path.read_text(encoding="utf-8").splitlines()[1]
    assert json.loads(line) == {"id": "a", "video": "a.mp4", "start": 1.0, "end": 2.0}
    manifest = read_manifest(path)
    # Made by the release before there were views, for a file that is not there.
    assert signature(manifest, manifest.samples[0]) == "c3bfe829578614ebf334"
    assert asked_clips([path])[0].view is None


@pytest.mark.parametrize(
    "view", [[0.5, 0, 0.5, 1], [0, 0.6, 1, 0.5], [-0.1, 0, 1, 1], [0, 0, 1.01, 1]]
)
def test_a_box_that_is_none_is_told_with_its_line(tmp_path: Path, view: list[float]) -> None:
    path = written(tmp_path / "m.jsonl")
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"id": "b", "video": "a.mp4", "view": view}) + "\n")
    with pytest.raises(EmollamaError, match=r"m\.jsonl:3: 'view' .* no part of a picture"):
        read_manifest(path)


def test_two_people_in_one_picture_are_two_clips(tmp_path: Path) -> None:
    record(tmp_path / "a.mp4", seconds=0.5)
    people = [
        Sample(id=name, video="a.mp4", view=view) for name, view in (("a", WHITE), ("b", GREY))
    ]
    write_manifest(tmp_path / "m.jsonl", "made", get_label_set("mer2023"), people)
    manifest = read_manifest(tmp_path / "m.jsonl")
    assert manifest.samples == tuple(people)
    assert len({signature(manifest, s) for s in people}) == 2
    assert len({clip.key for clip in asked_clips([manifest.path])}) == 2
    bright = []
    for sample in people:
        (clip,) = decode_views(job_of(manifest, sample, ()), [Brightness()]).values()
        assert clip.frames is not None
        bright.append(clip.frames.images.mean())
    assert bright[0] > 200 > bright[1]
    extract(manifest, [Brightness()], tmp_path / "store", workers=0, build=lambda _: Brightness())
    assert read_record(tmp_path / "store" / "brightness") is not None


class Brightness:
    """An encoder of the mean grey level."""

    key, channel, width, frames, columns, fingerprint = "brightness", "face", 1, 2, (), "1"

    def encode(self, clips):  # type: ignore[no-untyped-def]
        return [
            FeatureTrack(
                c.frames.images.mean((1, 2, 3), dtype=np.float32)[:, None],
                c.frames.times.astype(np.float32),
            )
            for c in clips
        ]
